"""The common part of one lease and of several leases as one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Generic, TypeVar

from . import _checked, _core, _process
from ._errors import NotAcquired, Overrun

FOREVER = 100 * 365 * 24 * 3600.0

C = TypeVar("C", bound=_core.Lease | _core.Leases)
T = TypeVar("T")


class Lost:
    """The loss of a lease: like a `threading.Event` that is set once. It is set at the end of the validity, without the
    network and without another thread.
    """

    __slots__ = ("_lease",)

    def __init__(self, lease: _core.HeldLease) -> None:
        self._lease = lease

    @property
    def cause(self) -> str | None:
        """``expired``, ``taken``, ``max_hold`` or ``forked``; None while the lease lives, and after its release."""
        cause = self._lease.cause
        return None if cause == "released" else cause

    def is_set(self) -> bool:
        """Whether the lease is lost. No network."""
        return self.cause is not None

    def wait(self, timeout: float | None = None) -> bool:
        """Waits for the loss, `timeout` seconds at most; False when the time is over or the lease was released."""
        if self._lease.cause == "forked":
            return True
        within = FOREVER if timeout is None else _checked.seconds("timeout", timeout)
        return self._lease.lost(within).run() not in (None, "released")


class HeldLease(Generic[C]):
    """A lease, or several as one: the end of one of them is the end of all."""

    __slots__ = ("_core", "__weakref__")

    def __init__(self, core: C) -> None:
        self._core = core
        _process.leases.add(self)

    @property
    def valid_for(self) -> float:
        """For how many more seconds the lease may be relied on, or all of several; 0.0 once one is over."""
        return self._core.valid_for or 0.0

    @property
    def lost(self) -> Lost:
        """The end of the lease; of several, of the first that is lost."""
        return Lost(self._core)

    @property
    def is_forked(self) -> bool:
        """Whether it belongs to a process of which this one is a fork."""
        return self._core.cause == "forked"

    def check(self) -> None:
        """Raises `LostError` once the lease is over, or one of several, which it names. No network, under a microsecond: call
        it before each side effect.
        """
        self._core.check()

    def on_lost(self, callback: Callable[[str], object]) -> None:
        """Calls `callback(cause)` on a thread of its own when the lease is lost, or one of several; never after a release."""
        self._core.on_lost(_checked.callback("callback", callback))

    def _release_op(self) -> _core.Op[Any]:
        return self._first(self._core.release())

    def _end_op(self, succeeded: bool) -> _core.Op[Any] | None:
        """The release at the end of a block. None if the block released it, and in a fork, which does not touch it."""
        return None if self.is_forked else self._core.release()

    def _found(self, outcome: Any) -> object:
        """Raises `Overrun` if the lease had ended before."""
        raise NotImplementedError

    def _first(self, once: T | None) -> T:
        """What the core returned: None means that the lease was released before."""
        if once is None:
            raise NotAcquired(f"{self._title()} was released before")
        return once

    def _title(self) -> str:
        return repr(self)

    def _shown(self) -> str:
        raise NotImplementedError

    def _release_in_background(self, done: threading.Semaphore) -> bool:
        op = self._core.release()
        if op is not None:
            op.start(lambda value, error: done.release())
        return op is not None

    def __repr__(self) -> str:
        if self.is_forked:
            return f"<{kind(self)} of another process>"
        return f"<{kind(self)} {self._shown()} valid_for={self.valid_for:.3f}>"


B = TypeVar("B", bound="Block[Any]")


class Block(HeldLease[C]):
    """A lease, or several as one, for threads: released at the end of a ``with`` block."""

    __slots__ = ()

    def __enter__(self: B) -> B:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        op = self._end_op(kind is None)
        if op is not None:
            outcome = op.run()
            if kind is None:
                self._found(outcome)


def found(name: str, outcome: str) -> str:
    """The result of a release, or its exception."""
    if outcome in ("expired", "taken"):
        raise Overrun(f"overrun: the lease of {name!r} had ended before its release ({outcome})", outcome=outcome)
    return outcome


def kind(made: object) -> str:
    """The class, as programs import it."""
    return f"{type(made).__module__.partition('._')[0]}.{type(made).__name__}"
