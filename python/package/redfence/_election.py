"""Leader election for threads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from . import _checked, _core
from ._base import Named, tell
from ._held import Block, found, kind
from ._multi_lease import MultiLeaseBase


class Leader(NamedTuple):
    """A leader, as any process sees it. There may be another one by now."""

    term: int
    """The token of its lease: greater for a later leader."""
    label: str
    """Its label, cut to 111 bytes."""


class LeadershipBase(MultiLeaseBase):
    """The leadership of this process, until `check` raises or `lost` is set."""

    __slots__ = ()

    @property
    def term(self) -> int:
        """The fencing token of this leader: pass it with every write. A later leader has a greater one."""
        term = self._core.term
        assert term is not None, "leases of a leader have a term"
        return term

    @property
    def name(self) -> str:
        """The name of the election. Stores compare terms under it."""
        return self.names[0]

    @property
    def token(self) -> int:
        """The term, so that a leadership goes where a `Lease` goes: ``admit``, ``fenced``, ``guarded``."""
        return self.term

    def _found(self, outcomes: list[str]) -> None:
        for outcome in outcomes:
            found(self.name, outcome)


class Leadership(LeadershipBase, Block[_core.Leases]):
    """The leadership of this process, until `check` raises or `lost` is set.

    ``with leadership:`` resigns at the end. Dropped without that, it resigns in the background.
    """

    __slots__ = ()

    def resign(self) -> None:
        """Ends the leadership, so that the next campaign succeeds. Raises `Overrun` when it had ended before."""
        self._found(self._release_op().run())


class ElectionBase(Named):
    """One leader at a time, for threads and for event loops."""

    def _campaign_op(self, timeout: float) -> _core.Op[_core.Leases]:
        return _core.campaign(self.client.core, self.name, self._wait(True, timeout)[0], self._sort)

    def _observer(self, period: float) -> _core.Observer:
        return _core.Observer(self.name, _checked.seconds("period", period))

    def _leader_op(self) -> _core.Op[tuple[int, str] | None]:
        return _core.leader(self.client.core, self.name)

    def __repr__(self) -> str:
        return f"<{kind(self)} {self.name!r}>"


class Election(ElectionBase):
    """One leader at a time among the processes that campaign under `name`.

    ``with election.campaign(timeout=math.inf) as leadership:`` leads in the block. When the leader resigns, the next campaign
    is woken; when it crashes, the next one leads after the `ttl`. `max_hold` bounds one leadership. Settings as for
    `redfence.Lock`; `on_lost(leadership, cause)` is called on a thread of its own when a leadership is lost.
    """

    def campaign(self, timeout: float = -1) -> Leadership:
        """Waits until this process leads: `timeout` seconds, or `wait_max`; `math.inf` without an end.

        Raises `Contended` when another one led all the time, and the other `AcquireError`s, with every node's vote;
        `NameError` for a name that cannot be used, or that is too long with ``#leader`` behind it.
        """
        return tell(Leadership(self._campaign_op(timeout).run()), self._on_lost)

    def leader(self) -> Leader | None:
        """The leader now, or None. Any process may ask. Raises `NoQuorum` when no majority agrees."""
        leader = self._leader_op().run()
        return None if leader is None else Leader(*leader)

    def observe(self, period: float = 1.0) -> Iterator[Leader]:
        """The leaders from now on, the present one first: each once, with rising terms. It has no end.

        Asks the nodes about once in `period` seconds, 0.01 at least, while the caller waits for the next one. A leader who led
        for less than one and a half periods may be missed.
        """
        observer = self._observer(period)
        while True:
            yield Leader(*observer.next(self.client.core).run())
