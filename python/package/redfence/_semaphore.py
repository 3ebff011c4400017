"""The semaphore for threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from . import _checked, _core
from ._base import Acquirer, L, Settings
from ._client import Redfence
from ._held import kind
from ._lease import Lease
from ._lock import ForThreads
from ._unpack import Unpack


class SemaphoreBase(Acquirer[L]):
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
        super().__init__(client, name, on_lost=on_lost, **settings)
        self.permits = _checked.count("permits", permits, "1 to 128")
        _core.check_semaphore(self.client.core, name, permits, self._sort)

    def _acquire_op(self, wait: float) -> _core.Op[_core.Lease]:
        return _core.acquire_permit(self.client.core, self.name, self.permits, wait, self._sort)

    def __repr__(self) -> str:
        return f"<{kind(self)} {self.name!r}, {self.permits} permits>"


class Semaphore(SemaphoreBase[Lease], ForThreads):
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
        return self._acquired_or_none(blocking, timeout)
