"""The common part of one lease and of several leases as one, for event loops."""

from __future__ import annotations

from types import TracebackType
from typing import Any, TypeVar

from .._held import FOREVER, C, HeldLease
from ._run import run

B = TypeVar("B", bound="Block[Any]")


class Block(HeldLease[C]):
    """A lease, or several as one, for tasks: released at the end of an ``async with`` block."""

    __slots__ = ()

    async def wait_lost(self) -> str | None:
        """Waits for the end: its cause, or None after a release."""
        if self.is_forked:
            return "forked"
        cause = await run(self._core.lost(FOREVER))
        return None if cause == "released" else cause

    async def __aenter__(self: B) -> B:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        op = self._end_op(kind is None)
        if op is not None:
            outcome = await run(op)
            if kind is None:
                self._found(outcome)
