"""The lock for event loops."""

from ._lock import Lock, connect

__all__ = ["Lock", "connect"]
