"""Leader election for event loops."""

from __future__ import annotations

from collections.abc import AsyncIterator

from .. import _core
from .._election import ElectionBase, Leader, LeadershipBase
from ._block import Block
from ._run import run, tell_loop


class Leadership(LeadershipBase, Block[_core.Leases]):
    """As `redfence.Leadership`: ``async with leadership:`` resigns at the end."""

    __slots__ = ()

    async def resign(self) -> None:
        """As `redfence.Leadership.resign`. A task that is cancelled meanwhile has resigned."""
        self._found(await run(self._release_op()))


class Election(ElectionBase):
    """As `redfence.Election`: ``async with await election.campaign(timeout=math.inf) as leadership:``. A task that is cancelled
    while it campaigns leads nothing. `on_lost(leadership, cause)` is called by the loop that campaigned.
    """

    async def campaign(self, timeout: float = -1) -> Leadership:
        """As `redfence.Election.campaign`."""
        return tell_loop(Leadership(await run(self._campaign_op(timeout))), self._on_lost)

    async def leader(self) -> Leader | None:
        """As `redfence.Election.leader`."""
        leader = await run(self._leader_op())
        return None if leader is None else Leader(*leader)

    async def observe(self, period: float = 1.0) -> AsyncIterator[Leader]:
        """As `redfence.Election.observe`: ``async for leader in election.observe():``."""
        observer = self._observer(period)
        while True:
            yield Leader(*await run(observer.next(self.client.core)))
