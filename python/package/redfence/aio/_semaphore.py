"""The semaphore for event loops."""

from .._semaphore import SemaphoreBase
from ._lease import Lease
from ._lock import ForTasks


class Semaphore(SemaphoreBase[Lease], ForTasks):
    """As `redfence.Semaphore`: ``async with semaphore as lease:``. A task that is cancelled while it acquires has acquired
    nothing. `on_lost(lease, cause)` is called by the loop that acquired.
    """

    async def acquire(self, blocking: bool = True, timeout: float = -1) -> Lease | None:
        """As `redfence.Semaphore.acquire`."""
        return await self._acquired_or_none(blocking, timeout)
