"""Several resources at once, for event loops."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

from .._base import Settings
from .._client import Redfence
from .._multi_lease import AskedAll, MultiLeaseBase
from .._unpack import Unpack
from ._lease import ended
from ._run import run


class MultiLease(MultiLeaseBase):
    """As `redfence.MultiLease`: ``async with leases:`` releases them at the end."""

    __slots__ = ()

    async def extend(self) -> None:
        """As `redfence.MultiLease.extend`."""
        await run(self._core.extend())

    async def release(self) -> None:
        """As `redfence.MultiLease.release`. A task that is cancelled meanwhile has released."""
        self._found(await run(self._release_op()))

    async def wait_lost(self) -> str | None:
        """Waits for the end of one of them: its cause, or None after a release."""
        return await ended(self.lost)

    async def __aenter__(self) -> MultiLease:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        op = self._end_op()
        if op is not None:
            outcomes = await run(op)
            if kind is None:
                self._found(outcomes)


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
