"""A lock that excludes nobody, and says so."""

from __future__ import annotations

import math
import threading
import warnings
from types import TracebackType
from typing import Any

from ._errors import NotAcquired, NoToken
from ._held import kind


class NoLockWarning(UserWarning):
    """A lock that excludes nobody is used."""


class NeverLost:
    """The end of a lease that is none: it never comes."""

    cause = None

    def is_set(self) -> bool:
        """False, always."""
        return False

    def wait(self, timeout: float | None = None) -> bool:
        """Waits `timeout` seconds, for nothing: False. Without a timeout it returns at once, as there is nothing to wait for."""
        if timeout is not None:
            threading.Event().wait(timeout)
        return False


class NoLockBase:
    """What both kinds have in common."""

    def __init__(self, client: object = None, name: str = "", **settings: Any) -> None:
        warnings.warn(f"NoLock {name!r} excludes nobody", NoLockWarning, stacklevel=2)
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
        """Raises `NoToken`: nothing fences."""
        raise NoToken(f"NoLock {self.name!r} excludes nobody, so it has no fencing token")

    @property
    def holder(self) -> Any:
        """Raises `NoToken`: no node knows it."""
        raise NoToken(f"NoLock {self.name!r} excludes nobody, so no node knows a holder of it")

    @property
    def valid_for(self) -> float:
        """Without an end while it is acquired; else 0.0."""
        return math.inf if self._count else 0.0

    @property
    def lost(self) -> NeverLost:
        """Never set. Raises `NotAcquired` where it is not acquired."""
        self._held()
        return NeverLost()

    def owned(self) -> bool:
        """Whether this very object is acquired."""
        return self._count > 0

    def check(self) -> None:
        """Nothing can be lost that was never had. Raises `NotAcquired` where it is not acquired."""
        self._held()

    def __repr__(self) -> str:
        return f"<{kind(self)} {self.name!r}, excludes nobody>"


class NoLock(NoLockBase):
    """In place of a `Lock` where none is wanted, for instance in a single process. It excludes nobody and has no token.

    Warns with `NoLockWarning` when it is made.
    """

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """True, always: others may have it as well."""
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
        """None, always: no node knows it."""

    def reset(self, reason: str = "reset") -> bool:
        """False, always: there is nothing to take away."""
        return False

    def __enter__(self) -> NoLock:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()
