"""The lock for event loops."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType

from .. import _checked
from .._base import Acquirer, LockBase
from .._client import ClientSettings, Redfence, owner_of, was_reset
from .._errors import Contended
from .._held import found
from .._lease import Holder
from .._unpack import Unpack
from ._lease import Lease
from ._run import run, tell_loop


async def connect(nodes: str | Sequence[str], **settings: Unpack[ClientSettings]) -> Redfence:
    """As `redfence.connect`, for an event loop. The client serves threads and any number of loops."""
    client = Redfence(nodes, **settings)
    await run(client.core.connect())
    return client


async def extend_as(client: Redfence, name: str, holder: Holder, ttl: float | None = None) -> float:
    """As `redfence.Redfence.extend_as`."""
    return await run(client._extend_as_op(name, holder, ttl))


async def release_as(client: Redfence, name: str, holder: Holder) -> str:
    """As `redfence.Redfence.release_as`."""
    return found(name, await run(client._release_as_op(name, holder)))


class ForTasks(Acquirer[Lease]):
    """Leases for tasks."""

    async def _acquired(self, wait: float) -> Lease:
        return tell_loop(Lease(await run(self._acquire_op(wait))), self._on_lost)

    async def _acquired_or_none(self, blocking: bool, timeout: float) -> Lease | None:
        wait, is_read = self._wait(blocking, timeout)
        try:
            return await self._acquired(wait)
        except Contended:
            if is_read:
                return None
            raise

    async def __aenter__(self) -> Lease:
        return self._entered(asyncio.current_task(), await self._acquired(self.wait_max))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._left(asyncio.current_task()).__aexit__(kind, error, traceback)


class Lock(LockBase[Lease], ForTasks):
    """A lock by its name, used as an `asyncio.Lock`: ``async with lock as lease:``. Settings as for `redfence.Lock`.

    A task that is cancelled while it acquires has acquired nothing; one that is cancelled while it releases has
    released. `on_lost(lease, cause)` is called by the loop that acquired.
    """

    async def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """As `redfence.Lock.acquire`."""
        lease = await self._acquired_or_none(blocking, timeout)
        if lease is not None:
            self._lease = lease
        return lease is not None

    async def release(self) -> str:
        """As `redfence.Lock.release`."""
        return await self._taken().release()

    async def extend(self) -> None:
        """As `redfence.Lock.extend`."""
        await self._held().extend()

    async def wait_lost(self) -> str | None:
        """Waits for the end of the lease: its cause, or None after a release. Raises `NotAcquired` without one."""
        return await self._held().wait_lost()

    async def locked(self) -> bool:
        """As `redfence.Lock.locked`."""
        return await self.owner() is not None

    async def owner(self) -> Holder | None:
        """As `redfence.Lock.owner`."""
        return owner_of(self.name, await run(self.client.core.inspect(self.name)))

    async def reset(self, reason: str = "reset") -> bool:
        """As `redfence.Redfence.reset`."""
        reason, holder = _checked.text("reason", reason), await self.owner()
        if holder is None:
            return False
        return was_reset(self.name, await run(self.client.core.force_release(self.name, str(holder), reason)))
