"""A lock that does nothing, for development."""

from __future__ import annotations

import math
import threading
import warnings
from types import TracebackType
from typing import Any

from ._errors import NotAcquired, NoToken
from ._held import kind


class NoLockWarning(UserWarning):
    """A lock that does nothing is used."""


class NeverLost:
    """The loss of a `NoLock`: it never comes."""

    cause = None

    def is_set(self) -> bool:
        """Always False."""
        return False

    def wait(self, timeout: float | None = None) -> bool:
        """Waits `timeout` seconds, and returns False. Without a timeout it returns at once."""
        if timeout is not None:
            threading.Event().wait(timeout)
        return False


class NoLockBase:
    """The common part of `NoLock` and `aio.NoLock`."""

    def __init__(self, client: object = None, name: str = "", **settings: Any) -> None:
        warnings.warn(f"NoLock {name!r} does nothing, and keeps no other holder out", NoLockWarning, stacklevel=2)
        self.name = name
        self._count = 0

    def _taken(self) -> str:
        self._held()
        self._count -= 1
        return "released"

    def _held(self) -> None:
        if not self._count:
            raise NotAcquired(f"{self.name!r} is not acquired by this object")

    @property
    def lease(self) -> Any:
        """This object, while it is acquired; else None."""
        return self if self._count else None

    @property
    def token(self) -> int:
        """Raises `NoToken`."""
        raise NoToken(f"NoLock {self.name!r} does nothing, so it has no fencing token")

    @property
    def holder(self) -> Any:
        """Raises `NoToken`: no node knows it."""
        raise NoToken(f"NoLock {self.name!r} does nothing, so no node knows a holder of it")

    @property
    def valid_for(self) -> float:
        """Infinity while it is acquired; else 0.0."""
        return math.inf if self._count else 0.0

    @property
    def lost(self) -> NeverLost:
        """Never set. Raises `NotAcquired` if it is not acquired."""
        self._held()
        return NeverLost()

    def owned(self) -> bool:
        """Whether this very object is acquired."""
        return self._count > 0

    def check(self) -> None:
        """Raises `NotAcquired` if it is not acquired."""
        self._held()

    def __repr__(self) -> str:
        return f"<{kind(self)} {self.name!r}, does nothing>"


class NoLock(NoLockBase):
    """In place of a `Lock`, for development. It keeps no other holder out, and has no token.

    Warns with `NoLockWarning` when it is made.
    """

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Always True: others may have it, too."""
        self._count += 1
        return True

    def release(self) -> str:
        """Raises `NotAcquired` when it was not acquired."""
        return self._taken()

    def extend(self) -> None:
        """Raises `NotAcquired` when it was not acquired."""
        self._held()

    def locked(self) -> bool:
        """Whether this very object is acquired. It knows of no other."""
        return self._count > 0

    def owner(self) -> None:
        """Always None: no node knows it."""

    def reset(self, reason: str = "reset") -> bool:
        """Always False: there is nothing to take away."""
        return False

    def __enter__(self) -> NoLock:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()
