"""Several resources at once: all of them or none."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType, TracebackType

from . import _checked, _core, _process
from ._base import Asked, Settings
from ._client import Redfence
from ._errors import NotAcquired
from ._lease import Lost, found
from ._unpack import Unpack


class MultiLeaseBase:
    """Several leases, held as one: the loss of one is the loss of all. Each is renewed.

    Dropped without a release, they are released in the background.
    """

    __slots__ = ("_core", "__weakref__")

    def __init__(self, core: _core.Leases) -> None:
        self._core = core
        _process.leases.add(self)

    @property
    def names(self) -> list[str]:
        """The names, in their order."""
        return [name for name, _, _ in self._core.parts]

    @property
    def tokens(self) -> Mapping[str, int]:
        """The fencing token for writes to each resource, by its name, as `Lease.token`."""
        return MappingProxyType({name: token for name, token, _ in self._core.parts})

    @property
    def valid_for(self) -> float:
        """For how many more seconds all may be relied on; 0.0 once one is over."""
        return self._core.valid_for or 0.0

    @property
    def lost(self) -> Lost:
        """The end of the first of them that is lost."""
        return Lost(self._core)

    @property
    def is_forked(self) -> bool:
        """Whether they belong to a process of which this one is a fork."""
        return self._core.cause == "forked"

    def check(self) -> None:
        """Raises `LostError`, which names the resource, once one of them is over. No network: call it before each side effect."""
        self._core.check()

    def on_lost(self, callback: Callable[[str], object]) -> None:
        """Calls `callback(cause)` on a thread of its own when one of them is lost; never after a release."""
        self._core.on_lost(_checked.callback("callback", callback))

    def _release_op(self) -> _core.Op[list[str]]:
        op = self._core.release()
        if op is None:
            raise NotAcquired(f"{self!r} was released before")
        return op

    def _end_op(self) -> _core.Op[list[str]] | None:
        """The release at the end of a block. None where it was released within, and in a fork, which leaves it alone."""
        return None if self.is_forked else self._core.release()

    def _release_in_background(self, done: threading.Semaphore) -> bool:
        op = self._core.release()
        if op is not None:
            op.start(lambda value, error: done.release())
        return op is not None

    def _found(self, outcomes: list[str]) -> None:
        # The last name is released first.
        for name, outcome in zip(reversed(self.names), outcomes):
            found(name, outcome)

    def __repr__(self) -> str:
        kind = f"{type(self).__module__.partition('._')[0]}.{type(self).__name__}"
        if self.is_forked:
            return f"<{kind} of another process>"
        return f"<{kind} {self.names!r} valid_for={self.valid_for:.3f}>"


class MultiLease(MultiLeaseBase):
    """Several leases, held as one: the loss of one is the loss of all. Each is renewed.

    ``with leases:`` releases them at the end. Dropped without a release, they are released in the background.
    """

    __slots__ = ()

    def extend(self) -> None:
        """Extends all by a full TTL from now, as `Lease.extend`. Seldom needed."""
        self._core.extend().run()

    def release(self) -> None:
        """Releases all of them. Raises `Overrun` when one had ended before, and `NotAcquired` after a release."""
        self._found(self._release_op().run())

    def __enter__(self) -> MultiLease:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        op = self._end_op()
        if op is not None:
            outcomes = op.run()
            if kind is None:
                self._found(outcomes)


class AskedAll(Asked):
    """Several names, and the settings of their leases."""

    def op(self, names: Sequence[str], timeout: float) -> _core.Op[_core.Leases]:
        return _core.acquire_all(self.client.core, _checked.names(names), self._wait(True, timeout)[0], self._sort)


def acquire_all(
    client: Redfence | str | Sequence[str],
    names: Sequence[str],
    timeout: float = -1,
    **settings: Unpack[Settings],
) -> MultiLease:
    """Acquires all of `names`, 1 to 128, or none: ``with redfence.acquire_all(client, ["account:7", "account:2"]) as leases:``.

    Waits `timeout` seconds for all of them together, or `wait_max`; a timeout of 0 tries once. It acquires them in the order
    of their names, whatever the order here, so such calls never wait for each other in a circle. Settings as for
    `redfence.Lock`.

    Raises an `AcquireError` whose `resource` is the one that was not acquired, `LostError` or `ExtendError` where one was lost
    while it waited for the others, and `NameError` for names that cannot be used or that are there twice. Then none is held.
    """
    return MultiLease(AskedAll(client, **settings).op(names, timeout).run())
