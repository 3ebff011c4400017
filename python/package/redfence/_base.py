"""The common part of locks and recipes, for threads and for event loops."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypedDict, TypeVar

from . import _checked, _core
from ._client import Redfence, client_of
from ._errors import NotAcquired
from ._held import HeldLease, Lost
from ._lease import Holder, LeaseBase
from ._unpack import Unpack

H = TypeVar("H", bound=HeldLease[Any])
L = TypeVar("L", bound=LeaseBase)
T = TypeVar("T")


class Settings(TypedDict, total=False):
    """Settings of one lock, in place of those of its client. Times in seconds."""

    ttl: float | None
    """How long other processes wait after a crash."""
    wait_max: float | None
    """How long a call waits that has no timeout of its own."""
    renewed: bool | None
    """Whether leases are renewed."""
    max_hold: float | None
    """The longest time that a lease is held; `math.inf`: no limit."""
    label: str | None
    """The name of the holder, for people."""


class Asked:
    """The client, and the settings of one lock."""

    def __init__(
        self,
        client: Redfence | str | Sequence[str],
        *,
        ttl: float | None = None,
        wait_max: float | None = None,
        renewed: bool | None = None,
        max_hold: float | None = None,
        label: str | None = None,
        on_lost: Callable[[Any, str], object] | None = None,
    ) -> None:
        self.client = client_of(client)
        self.wait_max = self.client.wait_max if wait_max is None else _checked.seconds("wait_max", wait_max)
        self._on_lost = _checked.maybe(_checked.callback, "on_lost", on_lost)
        self._sort: _core._Sort = (
            _checked.maybe(_checked.seconds, "ttl", ttl),
            _checked.maybe(_checked.flag, "renewed", renewed),
            _checked.maybe(_checked.seconds, "max_hold", max_hold),
            _checked.maybe(_checked.text, "label", label),
        )
        self.client.core.check(self._sort)

    def _wait(self, blocking: bool, timeout: float) -> tuple[float, bool]:
        """How many seconds to wait, and whether the caller reads the answer."""
        if not blocking:
            if timeout != -1:
                raise ValueError("a call that does not block has no timeout")
            return 0.0, True
        if timeout == -1:
            return self.wait_max, False
        timeout = _checked.seconds("timeout", timeout, "0 or more, or -1")
        return timeout, not math.isinf(timeout)


class Blocks(Generic[T]):
    """The leases of `with` blocks, by the thread or task that is in them, so that a block ends its own."""

    def __init__(self) -> None:
        self._of: dict[object, list[T]] = {}

    def entered(self, block: object, lease: T) -> T:
        self._of.setdefault(block, []).append(lease)
        return lease

    def left(self, block: object, latest: object = None) -> T:
        if not self._of:
            raise NotAcquired("no block was entered that could be left")
        if block not in self._of:
            # Frameworks enter in one thread or task and leave in another: the latest block is meant.
            block = next((one for one, leases in self._of.items() if latest in leases), None) or next(reversed(self._of))
        mine = self._of[block]
        lease = mine.pop()
        if not mine:
            del self._of[block]
        return lease


class Named(Asked):
    """A name, its client, and its settings."""

    def __init__(
        self,
        client: Redfence | str | Sequence[str],
        name: str,
        *,
        on_lost: Callable[..., object] | None = None,
        **settings: Unpack[Settings],
    ) -> None:
        super().__init__(client, on_lost=on_lost, **settings)
        self.name = _checked.name(name)


class Acquirer(Named, Generic[L]):
    """Acquires leases, also for `with` blocks: a lock, or a semaphore."""

    def __init__(
        self,
        client: Redfence | str | Sequence[str],
        name: str,
        *,
        on_lost: Callable[[L, str], object] | None = None,
        **settings: Unpack[Settings],
    ) -> None:
        super().__init__(client, name, on_lost=on_lost, **settings)
        self._blocks: Blocks[L] = Blocks()

    def _acquire_op(self, wait: float) -> _core.Op[_core.Lease]:
        raise NotImplementedError

    def _entered(self, block: object, lease: L) -> L:
        return self._blocks.entered(block, lease)

    def _left(self, block: object) -> L:
        return self._blocks.left(block)


class LockBase(Acquirer[L]):
    """The lock of a name: its settings, and the lease that this object has."""

    _lease: L | None = None

    def _acquire_op(self, wait: float) -> _core.Op[_core.Lease]:
        return self.client.core.acquire(self.name, wait, self._sort)

    def _entered(self, block: object, lease: L) -> L:
        self._lease = lease
        return super()._entered(block, lease)

    def _left(self, block: object) -> L:
        lease = self._blocks.left(block, self._lease)
        if self._lease is lease:
            self._lease = None
        return lease

    def _taken(self) -> L:
        """Takes the lease from this object."""
        try:
            return self._held()
        finally:
            self._lease = None

    @property
    def lease(self) -> L | None:
        """The lease of the last acquire, until its release; None in a fork of the process that acquired."""
        lease = self._lease
        return None if lease is None or lease.is_forked else lease

    def _held(self) -> L:
        lease = self.lease
        if lease is None:
            raise NotAcquired(f"{self.name!r} is not acquired by this object")
        return lease

    @property
    def token(self) -> int:
        """The fencing token of the lease, as `Lease.token`. Raises `NotAcquired` without one."""
        return self._held().token

    @property
    def holder(self) -> Holder:
        """The holder of the lease, as `Lease.holder`. Raises `NotAcquired` without a lease."""
        return self._held().holder

    @property
    def valid_for(self) -> float:
        """For how many more seconds the lease may be relied on; 0.0 without one."""
        lease = self.lease
        return 0.0 if lease is None else lease.valid_for

    @property
    def lost(self) -> Lost:
        """The end of the lease, as `Lease.lost`. Raises `NotAcquired` without one."""
        return self._held().lost

    def owned(self) -> bool:
        """Whether this object has a lease that may be relied on now. No network."""
        return self.valid_for > 0

    def check(self) -> None:
        """Raises `LostError` once the lease is over, and `NotAcquired` without one. No network."""
        self._held().check()

    def __repr__(self) -> str:
        state = "acquired" if self.owned() else "not acquired"
        return f"<{type(self).__module__}.{type(self).__qualname__} {self.name!r}, {state}>"


def tell(lease: H, callback: Callable[[H, str], object] | None) -> H:
    """Lets a thread of its own call `callback(lease, cause)` when the lease is lost."""
    if callback is not None:
        lease.on_lost(told(lease, callback))
    return lease


def told(lease: T, callback: Callable[[T, str], object]) -> Callable[[str], None]:
    """A function that calls `callback` when the lease is lost. It does not keep the lease alive."""
    weak = weakref.ref(lease)

    def tell(cause: str) -> None:
        lost = weak()
        if lost is not None:
            callback(lost, cause)

    return tell
