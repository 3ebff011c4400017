"""The lock for event loops."""

from ._lock import Lock, connect, extend_as, release_as

__all__ = ["Lock", "connect", "extend_as", "release_as"]
