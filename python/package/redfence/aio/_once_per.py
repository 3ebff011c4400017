"""Work that is done once per period, for event loops."""

from __future__ import annotations

from .. import _core
from .._errors import Contended
from .._once_per import OncePerBase, RunBase
from ._block import Block
from ._run import run, tell_loop


class Run(RunBase, Block[_core.Lease]):
    """As `redfence.Run`: ``async with run:`` ends the work. A task that is cancelled in the block has failed."""

    __slots__ = ()

    async def finish(self, succeeded: bool = True) -> float:
        """As `redfence.Run.finish`."""
        return self._found(await run(self._finish_op(succeeded)))


class OncePer(OncePerBase):
    """As `redfence.OncePer`: ``async with run:``. `on_lost(run, cause)` is called by the loop that acquired."""

    async def acquire(self, blocking: bool = True, timeout: float = -1) -> Run | None:
        """As `redfence.OncePer.acquire`. A task that is cancelled meanwhile has begun nothing."""
        try:
            return tell_loop(Run(await run(self._acquire_op(blocking, timeout))), self._on_lost)
        except Contended:
            return None
