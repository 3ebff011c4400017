"""A distributed lock over N independent Redis or Valkey nodes, with fencing tokens issued by the quorum itself."""

from ._cached import Cached, MemoryCache, RedisCache
from ._client import EmbeddedNodes, LockStatus, NodeStatus, Redfence, connect, embedded
from ._errors import (
    AcquireError,
    CacheError,
    ConfigError,
    ConnectError,
    Contended,
    ExtendError,
    LostError,
    NameError,
    NoQuorum,
    NotAcquired,
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
from ._lease import Holder, Lease, Lost
from ._lock import Lock
from ._no_lock import NoLock, NoLockWarning
from ._synchronized import synchronized

__all__ = [
    "AcquireError",
    "CacheError",
    "Cached",
    "ConfigError",
    "ConnectError",
    "Contended",
    "EmbeddedNodes",
    "ExtendError",
    "Holder",
    "Lease",
    "Lock",
    "LockStatus",
    "Lost",
    "LostError",
    "MemoryCache",
    "NameError",
    "NoLock",
    "NoLockWarning",
    "NoQuorum",
    "NoToken",
    "NodeStatus",
    "NotAcquired",
    "OperateError",
    "Overloaded",
    "Overrun",
    "Redfence",
    "RedisCache",
    "RedfenceError",
    "Refused",
    "ReleaseError",
    "StaleToken",
    "TooSlow",
    "Vote",
    "connect",
    "embedded",
    "synchronized",
]
