"""The semaphore for threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Generic

from . import _checked, _core
from ._base import Asked, Blocks, L, Settings, told
from ._client import Redfence
from ._errors import Contended
from ._lease import Lease, found
from ._unpack import Unpack


class SemaphoreBase(Asked, Generic[L]):
    """At most `permits` holders at a time, for threads and for event loops."""

    def __init__(
        self,
        client: Redfence | str | Sequence[str],
        name: str,
        permits: int,
        *,
        on_lost: Callable[[L, str], object] | None = None,
        **settings: Unpack[Settings],
    ) -> None:
        super().__init__(client, on_lost=on_lost, **settings)
        self.name = _checked.name(name)
        self.permits = _checked.count("permits", permits, "1 to 128")
        self._blocks: Blocks[L] = Blocks()
        _core.check_semaphore(self.client.core, name, permits, self._sort)

    def _acquire_op(self, wait: float) -> _core.Op[_core.Lease]:
        return _core.acquire_permit(self.client.core, self.name, self.permits, wait, self._sort)

    def __repr__(self) -> str:
        return f"<{type(self).__module__.partition('._')[0]}.Semaphore {self.name!r}, {self.permits} permits>"


class Semaphore(SemaphoreBase[Lease]):
    """At most `permits` holders at a time, 1 to 128, each with a lease of its own, whose name is ``name#1`` to ``name#K``.

    ``with semaphore as lease:`` acquires a permit, and gives its `Lease`. All processes must use the same number of permits.
    Calls are served in their order. Tokens rise among the holders of one permit, so a store compares them under
    ``lease.name``. A crashed holder's permit is free again after its `ttl`. Settings and `on_lost` as for `redfence.Lock`.

    Raises `ConfigError` for a number of permits that is not possible, and `NameError` for a name that cannot be used.
    """

    def acquire(self, blocking: bool = True, timeout: float = -1) -> Lease | None:
        """Acquires a permit, to be released with ``lease.release()`` or ``with lease:``. With a `timeout` in seconds, or not
        blocking: None if all were held all the time.

        Without a timeout it waits `wait_max` seconds and then raises `AllHeld`. Raises the other `AcquireError`s, with every
        node's vote, and `ConnectError` at the first call. A call that does not block still waits for the calls before it, for
        ``node_timeout`` at most.
        """
        wait, is_read = self._wait(blocking, timeout)
        try:
            return self._acquired(wait)
        except Contended:
            if is_read:
                return None
            raise

    def _acquired(self, wait: float) -> Lease:
        lease = Lease(self._acquire_op(wait).run())
        if self._on_lost is not None:
            lease.on_lost(told(lease, self._on_lost))
        return lease

    def __enter__(self) -> Lease:
        return self._blocks.entered(threading.get_ident(), self._acquired(self.wait_max))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        lease = self._blocks.left(threading.get_ident())
        op = lease._end_op()
        if op is None:
            return
        outcome = op.run()
        if kind is None:
            found(lease.name, outcome)
