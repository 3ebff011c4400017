"""A lock that excludes nobody, and says so."""

import warnings
from types import TracebackType
from typing import Any

from ._errors import NotAcquired, NoToken


class NoLockWarning(UserWarning):
    """A lock that excludes nobody is used."""


class NoLock:
    """In place of a `Lock` where none is wanted, for instance in a single process. It excludes nobody and has no token.

    Warns with `NoLockWarning` when it is made.
    """

    def __init__(self, client: object = None, name: str = "", **settings: Any) -> None:
        warnings.warn(f"NoLock {name!r} excludes nobody", NoLockWarning, stacklevel=2)
        self.name = name
        self._count = 0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """True, always: others may have it as well."""
        self._count += 1
        return True

    def release(self) -> str:
        """Raises `NotAcquired` when it was not acquired."""
        if not self._count:
            raise NotAcquired(f"{self.name!r} is not acquired by this object")
        self._count -= 1
        return "released"

    def locked(self) -> bool:
        """Whether this very object is acquired. It knows of no other."""
        return self._count > 0

    def check(self) -> None:
        """Nothing can be lost that was never had."""

    @property
    def token(self) -> int:
        """Raises `NoToken`: nothing fences."""
        raise NoToken(f"NoLock {self.name!r} excludes nobody, so it has no fencing token")

    def __enter__(self) -> "NoLock":
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()

    def __repr__(self) -> str:
        return f"<redfence.NoLock {self.name!r}, excludes nobody>"
