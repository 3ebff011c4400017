"""Work that is done once per period, for event loops."""

from __future__ import annotations

from types import TracebackType

from .._errors import Contended
from .._once_per import OncePerBase, RunBase
from ._lease import ended
from ._run import run, tell_loop


class Run(RunBase):
    """As `redfence.Run`: ``async with run:`` ends the work. A task that is cancelled in the block has failed."""

    __slots__ = ()

    async def finish(self, succeeded: bool = True) -> float:
        """As `redfence.Run.finish`."""
        return self._kept(await run(self._finish_op(succeeded)))

    async def wait_lost(self) -> str | None:
        """Waits for the end of the lease: its cause, or None after an end of the work."""
        return await ended(self.lost)

    async def __aenter__(self) -> Run:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        op = self._end_of_block(kind is None)
        if op is not None:
            outcome = await run(op)
            if kind is None:
                self._kept(outcome)


class OncePer(OncePerBase):
    """As `redfence.OncePer`: ``async with run:``. `on_lost(run, cause)` is called by the loop that acquired."""

    async def acquire(self, blocking: bool = True, timeout: float = -1) -> Run | None:
        """As `redfence.OncePer.acquire`. A task that is cancelled meanwhile has begun nothing."""
        try:
            return tell_loop(Run(await run(self._acquire_op(blocking, timeout))), self._on_lost)
        except Contended:
            return None
