"""One acquired lease, for event loops."""

from __future__ import annotations

from types import TracebackType

from .._lease import FOREVER, LeaseBase, Lost, found
from ._run import run


class Lease(LeaseBase):
    """One acquired lease: a token, and the right to work until it is over. Renewed unless the lock says otherwise.

    ``async with lease:`` releases it at the end. Dropped without a release, it is released in the background.
    """

    __slots__ = ()

    async def extend(self) -> None:
        """As `redfence.Lease.extend`."""
        await run(self._core.extend())

    async def release(self) -> str:
        """As `redfence.Lease.release`. A task that is cancelled meanwhile has released."""
        return found(self.name, await run(self.release_op()))

    async def wait_lost(self) -> str | None:
        """Waits for the end of the lease: its cause, or None after a release."""
        return await ended(self.lost)

    async def __aenter__(self) -> Lease:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        op = self._end_op()
        if op is not None:
            outcome = await run(op)
            if kind is None:
                found(self.name, outcome)


async def ended(lost: Lost) -> str | None:
    """Waits for the end: its cause, or None after a release."""
    if lost.cause == "forked":
        return "forked"
    cause = await run(lost._lease.lost(FOREVER))
    return None if cause == "released" else cause
