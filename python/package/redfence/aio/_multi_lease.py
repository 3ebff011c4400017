"""Several resources at once, for event loops."""

from __future__ import annotations

from collections.abc import Sequence

from .. import _core
from .._base import Settings
from .._client import Redfence
from .._multi_lease import AskedAll, MultiLeaseBase
from .._unpack import Unpack
from ._block import Block
from ._run import run


class MultiLease(MultiLeaseBase, Block[_core.Leases]):
    """As `redfence.MultiLease`: ``async with leases:`` releases them at the end."""

    __slots__ = ()

    async def extend(self) -> None:
        """As `redfence.MultiLease.extend`."""
        await run(self._core.extend())

    async def release(self) -> None:
        """As `redfence.MultiLease.release`. A task that is cancelled meanwhile has released."""
        self._found(await run(self._release_op()))


async def acquire_all(
    client: Redfence | str | Sequence[str],
    names: Sequence[str],
    timeout: float = -1,
    **settings: Unpack[Settings],
) -> MultiLease:
    """As `redfence.acquire_all`: ``async with await aio.acquire_all(client, names) as leases:``. A task that is cancelled while
    it acquires has acquired nothing.
    """
    return MultiLease(await run(AskedAll(client, **settings).op(names, timeout)))
