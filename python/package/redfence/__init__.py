"""A distributed lock over N independent Redis or Valkey nodes, with fencing tokens issued by the quorum itself."""

from ._cached import Cached, MemoryCache, RedisCache
from ._client import EmbeddedNodes, LockStatus, NodeStatus, Redfence, connect, embedded
from ._election import Election, Leader, Leadership
from ._errors import (
    AcquireError,
    AllHeld,
    CacheError,
    ConfigError,
    ConnectError,
    Contended,
    ExtendError,
    LostError,
    NameError,
    NoQuorum,
    NotAcquired,
    NotStored,
    NoToken,
    OperateError,
    Overloaded,
    Overrun,
    RedfenceError,
    Refused,
    ReleaseError,
    StaleToken,
    TooSlow,
    Vote,
)
from ._held import Lost
from ._lease import Holder, Lease
from ._lock import Lock
from ._multi_lease import MultiLease, acquire_all
from ._no_lock import NoLock, NoLockWarning
from ._once_per import SKIPPED, OncePer, Run, Skipped, once_per
from ._semaphore import Semaphore
from ._synchronized import synchronized

__all__ = [
    "AcquireError",
    "AllHeld",
    "CacheError",
    "Cached",
    "ConfigError",
    "ConnectError",
    "Contended",
    "Election",
    "EmbeddedNodes",
    "ExtendError",
    "Holder",
    "Leader",
    "Leadership",
    "Lease",
    "Lock",
    "LockStatus",
    "Lost",
    "LostError",
    "MemoryCache",
    "MultiLease",
    "NameError",
    "NoLock",
    "NoLockWarning",
    "NoQuorum",
    "NoToken",
    "NodeStatus",
    "NotAcquired",
    "NotStored",
    "OncePer",
    "OperateError",
    "Overloaded",
    "Overrun",
    "Redfence",
    "RedisCache",
    "RedfenceError",
    "Refused",
    "ReleaseError",
    "Run",
    "SKIPPED",
    "Semaphore",
    "Skipped",
    "StaleToken",
    "TooSlow",
    "Vote",
    "acquire_all",
    "connect",
    "embedded",
    "once_per",
    "synchronized",
]
