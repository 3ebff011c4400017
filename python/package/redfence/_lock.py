"""The lock for threads."""

import threading
from types import TracebackType

from ._base import Acquirer, LockBase, tell
from ._errors import Contended
from ._lease import Holder, Lease


class ForThreads(Acquirer[Lease]):
    """Leases for threads."""

    def _acquired(self, wait: float) -> Lease:
        return tell(Lease(self._acquire_op(wait).run()), self._on_lost)

    def _acquired_or_none(self, blocking: bool, timeout: float) -> Lease | None:
        wait, is_read = self._wait(blocking, timeout)
        try:
            return self._acquired(wait)
        except Contended:
            if is_read:
                return None
            raise

    def __enter__(self) -> Lease:
        return self._entered(threading.get_ident(), self._acquired(self.wait_max))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._left(threading.get_ident()).__exit__(kind, error, traceback)


class Lock(LockBase[Lease], ForThreads):
    """A lock by its name, used as a `threading.Lock`. Any thread of the process may release it.

    ``with lock as lease:`` acquires, and gives the `Lease`. `client`: a `Redfence`, or URLs. Where not given, settings
    are the client's; times in seconds: `ttl` (others wait for it after a crash), `wait_max` (for `acquire` without a
    timeout), `renewed`, `max_hold` (`math.inf`: without an end), `label`. `on_lost(lease, cause)` is called on a thread
    of its own when a lease is lost.
    """

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Acquires. With a `timeout` in seconds, or not blocking: False if another had it all the time.

        Without a timeout it waits `wait_max` seconds and then raises `Contended`: it never returns False, so the answer
        need not be read. Raises the other `AcquireError`s, with every node's vote, and `ConnectError` at the first call.
        The first call of a process connects, which comes on top of the timeout.
        """
        lease = self._acquired_or_none(blocking, timeout)
        if lease is not None:
            self._lease = lease
        return lease is not None

    def release(self) -> str:
        """Releases, as `Lease.release`. Raises `NotAcquired` without a lease."""
        return self._taken().release()

    def extend(self) -> None:
        """Extends by a full TTL from now, as `Lease.extend`. Raises `NotAcquired` without a lease."""
        self._held().extend()

    def locked(self) -> bool:
        """Whether the name is held, on a majority of nodes. Raises `NoQuorum` when no majority agrees."""
        return self.owner() is not None

    def owner(self) -> Holder | None:
        """The holder that a majority of nodes names, or None."""
        return self.client.owner(self.name)

    def reset(self, reason: str = "reset") -> bool:
        """Takes the lock from its holder, as `Redfence.reset`."""
        return self.client.reset(self.name, reason)
