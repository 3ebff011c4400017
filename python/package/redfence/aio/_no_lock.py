"""A lock for event loops that does nothing, for development."""

from __future__ import annotations

import asyncio
from types import TracebackType

from .._no_lock import NoLockBase


class NoLock(NoLockBase):
    """In place of an `aio.Lock`, as `redfence.NoLock`."""

    async def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Always True: others may have it, too."""
        self._count += 1
        return True

    async def release(self) -> str:
        """Raises `NotAcquired` when it was not acquired."""
        return self._taken()

    async def extend(self) -> None:
        """Raises `NotAcquired` when it was not acquired."""
        self._held()

    async def wait_lost(self) -> str | None:
        """Waits without an end: it is never lost."""
        self._held()
        await asyncio.get_running_loop().create_future()
        return None

    async def locked(self) -> bool:
        """Whether this very object is acquired. It knows of no other."""
        return self._count > 0

    async def owner(self) -> None:
        """Always None: no node knows it."""

    async def reset(self, reason: str = "reset") -> bool:
        """Always False: there is nothing to take away."""
        return False

    async def __aenter__(self) -> NoLock:
        await self.acquire()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.release()
