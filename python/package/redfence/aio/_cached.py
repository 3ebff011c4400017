"""Values that one process computes for all, for event loops."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from .. import _checked, _core
from .._cached import CachedBase, MemoryCache, RedisCache
from .._client import Redfence
from ._run import run


class Cached(CachedBase):
    """As `redfence.Cached`, for tasks. `compute_max`: a computation that takes more seconds is cancelled."""

    def __init__(
        self,
        client: Redfence | str | Sequence[str],
        store: MemoryCache | RedisCache | str,
        *,
        wait_max: float | None = None,
        compute_max: float = 30.0,
        early_refresh: int = 100,
        store_timeout: float = 1.0,
        if_unavailable: str = "fail",
    ) -> None:
        super().__init__(
            client,
            store,
            wait_max=wait_max,
            early_refresh=early_refresh,
            store_timeout=store_timeout,
            if_unavailable=if_unavailable,
        )
        self._compute_max = _checked.seconds("compute_max", compute_max)
        # A loop keeps no task alive by itself.
        self._refreshes: set[asyncio.Task[None]] = set()

    async def get_or_compute(self, key: str, ttl: float, compute: Callable[[], Awaitable[bytes]]) -> bytes:
        """As `redfence.Cached.get_or_compute`. Cancelled, it cancels `compute`, and the next caller computes.

        Raises `TimeoutError` if `compute` takes longer than `compute_max`.
        """
        _checked.callback("compute", compute)
        value, right = await run(self._lookup(key, ttl))
        if isinstance(right, _core.Computation):
            return await self._computed(right, ttl, compute)
        if right is not None:
            task = asyncio.create_task(self._refreshed(right, ttl, compute))
            self._refreshes.add(task)
            task.add_done_callback(self._refreshes.discard)
        assert value is not None
        return value

    async def invalidate(self, key: str) -> None:
        """As `redfence.Cached.invalidate`."""
        await run(self._invalidate_op(key))

    async def _computed(
        self, computation: _core.Computation, ttl: float, compute: Callable[[], Awaitable[bytes]]
    ) -> bytes:
        try:
            computed = await asyncio.wait_for(_awaited(compute), self._compute_max)
            op = computation.finish(_checked.value(computed), ttl)
        except BaseException:
            await run(computation.abandon())
            raise
        return await run(op)

    async def _refreshed(self, refresh: _core.Refresh, ttl: float, compute: Callable[[], Awaitable[bytes]]) -> None:
        computation = await run(refresh.begin())
        if computation is not None:
            await self._computed(computation, ttl, compute)


async def _awaited(compute: Callable[[], Awaitable[bytes]]) -> bytes:
    return await compute()
