"""One acquired lease, and its end."""

from __future__ import annotations

from typing import Any, NamedTuple

from . import _core
from ._held import Block, HeldLease, found


class Holder(NamedTuple):
    """The holder of a lock."""

    id: str
    """32 hexadecimal digits, new for every attempt. Empty for a value that is another program's."""
    label: str
    """For people: ``<host>:<pid>`` unless set."""

    @classmethod
    def parse(cls, text: str) -> "Holder":
        """Reads what nodes store: the id, a space, the label."""
        id, space, label = text.partition(" ")
        is_ours = len(id) == 32 and space and all(c in "0123456789abcdef" for c in id)
        return cls(id, label) if is_ours else cls("", text)

    def __str__(self) -> str:
        return f"{self.id} {self.label}" if self.id else self.label


class LeaseBase(HeldLease[_core.Lease]):
    """One acquired lease: a token, and the right to work until it is over. Renewed unless the lock says otherwise.

    Dropped without a release, it is released in the background.
    """

    __slots__ = ()

    @property
    def token(self) -> int:
        """The fencing token, 1 to 2**53 - 1: pass it with every write. A later lease of the name has a greater one."""
        return self._core.token

    @property
    def name(self) -> str:
        """The name of the resource."""
        return self._core.name

    @property
    def holder(self) -> Holder:
        """The holder: new for every attempt."""
        return Holder.parse(self._core.holder)

    def leave(self) -> Holder:
        """Gives up the lease without a release. Another process that knows the holder may continue with `Redfence.extend_as`
        and `Redfence.release_as`. Nothing renews the lease any more. Raises `NotAcquired` after a release.
        """
        holder = self.holder
        return self._first(holder if self._core.leave() else None)

    def _found(self, outcome: Any) -> object:
        return found(self.name, outcome)

    def _title(self) -> str:
        return f"the lease of {self.name!r}"

    def _shown(self) -> str:
        return f"{self.name!r} token={self.token}"


class Lease(LeaseBase, Block[_core.Lease]):
    """One acquired lease: a token, and the right to work until it is over. Renewed unless the lock says otherwise.

    ``with lease:`` releases it at the end. Dropped without a release, it is released in the background.
    """

    __slots__ = ()

    def extend(self) -> None:
        """Extends by a full TTL from now. Seldom needed: leases are renewed.

        Raises `LostError` when the lease is over, and `ExtendError` when another try may succeed.
        """
        self._core.extend().run()

    def release(self) -> str:
        """Releases the lease: ``released``, ``handed over`` to a waiter of this process, or ``unknown`` when too few
        nodes answered (the release is repeated in the background).

        Raises `Overrun` when the lease had ended before, and `NotAcquired` when it was released before.
        """
        return found(self.name, self._release_op().run())
