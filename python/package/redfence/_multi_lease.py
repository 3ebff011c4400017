"""Several resources at once: all of them or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from . import _checked, _core
from ._base import Asked, Settings
from ._client import Redfence
from ._held import Block, HeldLease, found
from ._unpack import Unpack


class MultiLeaseBase(HeldLease[_core.Leases]):
    """Several leases, held as one: the loss of one is the loss of all. Each is renewed.

    Dropped without a release, they are released in the background.
    """

    __slots__ = ()

    @property
    def names(self) -> list[str]:
        """The names, in their order."""
        return [name for name, _, _ in self._core.parts]

    @property
    def tokens(self) -> Mapping[str, int]:
        """The fencing token for writes to each resource, by its name, as `Lease.token`."""
        return MappingProxyType({name: token for name, token, _ in self._core.parts})

    def _found(self, outcomes: list[str]) -> None:
        # The last name is released first.
        for name, outcome in zip(reversed(self.names), outcomes):
            found(name, outcome)

    def _shown(self) -> str:
        return repr(self.names)


class MultiLease(MultiLeaseBase, Block[_core.Leases]):
    """Several leases, held as one: the loss of one is the loss of all. Each is renewed.

    ``with leases:`` releases them at the end. Dropped without a release, they are released in the background.
    """

    __slots__ = ()

    def extend(self) -> None:
        """Extends all by a full TTL from now, as `Lease.extend`. Seldom needed."""
        self._core.extend().run()

    def release(self) -> None:
        """Releases all of them. Raises `Overrun` when one had ended before, and `NotAcquired` after a release."""
        self._found(self._release_op().run())


class AskedAll(Asked):
    """Several names, and the settings of their leases."""

    def op(self, names: Sequence[str], timeout: float) -> _core.Op[_core.Leases]:
        return _core.acquire_all(self.client.core, _checked.names(names), self._wait(True, timeout)[0], self._sort)


def acquire_all(
    client: Redfence | str | Sequence[str],
    names: Sequence[str],
    timeout: float = -1,
    **settings: Unpack[Settings],
) -> MultiLease:
    """Acquires all of `names`, 1 to 128, or none: ``with redfence.acquire_all(client, ["account:7", "account:2"]) as leases:``.

    Waits `timeout` seconds for all of them together, or `wait_max`; a timeout of 0 tries once. It acquires them in the order
    of their names, whatever the order here, so such calls never wait for each other in a circle. Settings as for
    `redfence.Lock`.

    Raises an `AcquireError` whose `resource` is the one that was not acquired, `LostError` or `ExtendError` where one was lost
    while it waited for the others, and `NameError` for names that cannot be used or that are there twice. Then none is held.
    """
    return MultiLease(AskedAll(client, **settings).op(names, timeout).run())
