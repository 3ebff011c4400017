"""One acquired lease, for event loops."""

from __future__ import annotations

from .. import _core
from .._held import found
from .._lease import LeaseBase
from ._block import Block
from ._run import run


class Lease(LeaseBase, Block[_core.Lease]):
    """One acquired lease: a token, and the right to work until it is over. Renewed unless the lock says otherwise.

    ``async with lease:`` releases it at the end. Dropped without a release, it is released in the background.
    """

    __slots__ = ()

    async def extend(self) -> None:
        """As `redfence.Lease.extend`."""
        await run(self._core.extend())

    async def release(self) -> str:
        """As `redfence.Lease.release`. A task that is cancelled meanwhile has released."""
        return found(self.name, await run(self._release_op()))
