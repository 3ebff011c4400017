"""The lock for event loops."""

from ._cached import Cached
from ._lock import Lock, connect, extend_as, release_as

__all__ = ["Cached", "Lock", "connect", "extend_as", "release_as"]
