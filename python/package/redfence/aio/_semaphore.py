"""The semaphore for event loops."""

import asyncio
from types import TracebackType

from .._errors import Contended
from .._lease import found
from .._semaphore import SemaphoreBase
from ._lease import Lease
from ._run import run, tell_loop


class Semaphore(SemaphoreBase[Lease]):
    """As `redfence.Semaphore`: ``async with semaphore as lease:``. A task that is cancelled while it acquires has acquired
    nothing. `on_lost(lease, cause)` is called by the loop that acquired.
    """

    async def acquire(self, blocking: bool = True, timeout: float = -1) -> Lease | None:
        """As `redfence.Semaphore.acquire`."""
        wait, is_read = self._wait(blocking, timeout)
        try:
            return await self._acquired(wait)
        except Contended:
            if is_read:
                return None
            raise

    async def _acquired(self, wait: float) -> Lease:
        return tell_loop(Lease(await run(self._acquire_op(wait))), self._on_lost)

    async def __aenter__(self) -> Lease:
        return self._blocks.entered(asyncio.current_task(), await self._acquired(self.wait_max))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        lease = self._blocks.left(asyncio.current_task())
        op = lease._end_op()
        if op is None:
            return
        outcome = await run(op)
        if kind is None:
            found(lease.name, outcome)
