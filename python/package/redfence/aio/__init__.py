"""The lock, and what is built on it, for event loops."""

from ._cached import Cached
from ._election import Election, Leadership
from ._lease import Lease
from ._lock import Lock, connect, extend_as, release_as
from ._multi_lease import MultiLease, acquire_all
from ._no_lock import NoLock
from ._once_per import OncePer, Run
from ._semaphore import Semaphore

__all__ = [
    "Cached",
    "Election",
    "Leadership",
    "Lease",
    "Lock",
    "MultiLease",
    "NoLock",
    "OncePer",
    "Run",
    "Semaphore",
    "acquire_all",
    "connect",
    "extend_as",
    "release_as",
]
