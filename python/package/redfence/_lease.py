"""One acquired lease, and its end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import NamedTuple, Protocol

from . import _checked, _core, _process
from ._errors import NotAcquired, Overrun

FOREVER = 100 * 365 * 24 * 3600.0


class Holder(NamedTuple):
    """The holder of a lock."""

    id: str
    """32 hexadecimal digits, new for every attempt. Empty for a value that is another program's."""
    label: str
    """For people: ``<host>:<pid>`` unless set."""

    @classmethod
    def parse(cls, text: str) -> "Holder":
        """Reads what nodes store: the id, a space, the label."""
        id, space, label = text.partition(" ")
        is_ours = len(id) == 32 and space and all(c in "0123456789abcdef" for c in id)
        return cls(id, label) if is_ours else cls("", text)

    def __str__(self) -> str:
        return f"{self.id} {self.label}" if self.id else self.label


class _Ends(Protocol):
    @property
    def cause(self) -> str | None: ...
    def lost(self, within: float) -> _core.Op[str | None]: ...


class Lost:
    """The loss of a lease: like a `threading.Event` that is set once. It is set at the end of the validity, without the
    network and without another thread.
    """

    __slots__ = ("_lease",)

    def __init__(self, lease: _Ends) -> None:
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


class LeaseBase:
    """One acquired lease: a token, and the right to work until it is over. Renewed unless the lock says otherwise.

    Dropped without a release, it is released in the background.
    """

    __slots__ = ("_core", "__weakref__")

    def __init__(self, core: _core.Lease) -> None:
        self._core = core
        _process.leases.add(self)

    @property
    def token(self) -> int:
        """The fencing token, 1 to 2**53 - 1: pass it with every write. A later lease of the name has a greater one."""
        return self._core.token

    @property
    def name(self) -> str:
        """The name of the resource."""
        return self._core.name

    @property
    def holder(self) -> Holder:
        """The holder: new for every attempt."""
        return Holder.parse(self._core.holder)

    @property
    def valid_for(self) -> float:
        """For how many more seconds the lease may be relied on; 0.0 once it is over."""
        return self._core.valid_for or 0.0

    @property
    def lost(self) -> Lost:
        """The end of this lease."""
        return Lost(self._core)

    def check(self) -> None:
        """Raises `LostError` once the lease is over. No network, under a microsecond: call it before each side effect."""
        self._core.check()

    def on_lost(self, callback: Callable[[str], object]) -> None:
        """Calls `callback(cause)` on a thread of its own when the lease is lost; never after a release."""
        self._core.on_lost(_checked.callback("callback", callback))

    def release_op(self) -> _core.Op[str]:
        op = self._core.release()
        if op is None:
            raise NotAcquired(f"the lease of {self.name!r} was released before")
        return op

    def _end_op(self) -> "_core.Op[str] | None":
        """The release at the end of a block. None where it was released within, and in a fork, which leaves it alone."""
        return None if self.is_forked else self._core.release()

    def leave(self) -> Holder:
        """Gives up the lease without a release. Another process that knows the holder may continue with `Redfence.extend_as`
        and `Redfence.release_as`. Nothing renews the lease any more. Raises `NotAcquired` after a release.
        """
        holder = self.holder
        if not self._core.leave():
            raise NotAcquired(f"the lease of {self.name!r} was released before")
        return holder

    @property
    def is_forked(self) -> bool:
        """Whether it belongs to a process of which this one is a fork."""
        return self._core.cause == "forked"

    def _release_in_background(self, done: threading.Semaphore) -> bool:
        op = self._core.release()
        if op is not None:
            op.start(lambda value, error: done.release())
        return op is not None

    def __repr__(self) -> str:
        if self.is_forked:
            return "<redfence.Lease of another process>"
        kind = f"{type(self).__module__.partition('._')[0]}.{type(self).__name__}"
        return f"<{kind} {self.name!r} token={self.token} valid_for={self.valid_for:.3f}>"


class Lease(LeaseBase):
    """One acquired lease: a token, and the right to work until it is over. Renewed unless the lock says otherwise.

    ``with lease:`` releases it at the end. Dropped without a release, it is released in the background.
    """

    __slots__ = ()

    def extend(self) -> None:
        """Extends by a full TTL from now. Seldom needed: leases are renewed.

        Raises `LostError` when the lease is over, and `ExtendError` when another try may succeed.
        """
        self._core.extend().run()

    def release(self) -> str:
        """Releases the lease: ``released``, ``handed over`` to a waiter of this process, or ``unknown`` when too few
        nodes answered (the release is repeated in the background).

        Raises `Overrun` when the lease had ended before, and `NotAcquired` when it was released before.
        """
        return found(self.name, self.release_op().run())

    def __enter__(self) -> "Lease":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        op = self._end_op()
        if op is not None:
            outcome = op.run()
            if kind is None:
                found(self.name, outcome)


def found(name: str, outcome: str) -> str:
    """The result of a release, or its exception."""
    if outcome in ("expired", "taken"):
        raise Overrun(f"overrun: the lease of {name!r} had ended before its release ({outcome})", outcome=outcome)
    return outcome
