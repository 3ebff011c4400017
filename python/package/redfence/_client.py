"""The client of a set of nodes, and its calls for operators."""

import os
import weakref
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple, TypedDict

from . import _checked, _core, _process
from ._errors import NoQuorum, OperateError, Vote
from ._held import found
from ._lease import Holder
from ._unpack import Unpack

LISTED_MAX = 10_000


class ClientSettings(TypedDict, total=False):
    """The settings of `Redfence`, which describes them. None stands for the default, except for `max_hold`."""

    ttl: float | None
    max_ttl: float | None
    wait_max: float | None
    max_hold: float | None
    min_validity: float | None
    node_timeout: float | None
    dial_timeout: float | None
    response_timeout: float | None
    renewed: bool | None
    durable: bool | None
    new_installation: bool | None
    label: str | None
    prefix: str | None
    key_style: str | None
    anchor: int | None
    server_name: str | None
    drift_ppm: int | None
    ca_file: "str | os.PathLike[str] | None"
    client_certificate: "tuple[str | os.PathLike[str], str | os.PathLike[str]] | None"


class EmbeddedNodes:
    """`count` nodes in this process, for tests. Several clients may use the same ones; a fork cannot."""

    def __init__(self, count: int = 1) -> None:
        self.count = _checked.count("count", count, "1 to 32")
        self._core = _core.EmbeddedNodes(self.count)


class LockStatus(NamedTuple):
    """One lock, as the nodes have it."""

    name: str
    holder: Holder
    ttl_left: float | None
    """Seconds on the node where it lives longest; None where it never ends."""
    nodes: int
    """On how many nodes it is."""


class NodeStatus(NamedTuple):
    """The condition of a node."""

    address: str
    condition: str
    round_trip: float | None
    """Seconds."""
    rests_for: float | None
    """For how many more seconds it takes no part, because it may have forgotten locks."""
    fault: str | None


class Redfence:
    """A client of N independent Redis or Valkey nodes. One for each process is enough for any number of locks and threads.

    It connects at the first call. After a fork the child connects for itself at its first call.

    `nodes`: URLs (``redis://``, ``rediss://``, ``unix://``), or `EmbeddedNodes`. Settings, times in seconds:
    `ttl` 10, `max_ttl` 30, `wait_max` 30, `max_hold` 3600 (None: no limit), `renewed` True, `label`
    ``<host>:<pid>``, `prefix` ``redfence``, `node_timeout` 0.25, `dial_timeout` 1, `response_timeout` 1,
    `min_validity` half of the validity, `drift_ppm` 10000, `durable` False, `new_installation` False, `ca_file`,
    `client_certificate` (certificate, key), `server_name`. While clients of an older lock run beside it:
    `key_style` ``native``, ``plain``, ``plain:PREFIX`` or ``plain:PREFIX{}SUFFIX``; `anchor`, the index from 0 of the node
    that every lease must have.

    Raises `ConfigError` when settings contradict each other.
    """

    def __init__(self, nodes: str | Sequence[str] | EmbeddedNodes, **settings: "Unpack[ClientSettings]") -> None:
        self._nodes = nodes if isinstance(nodes, EmbeddedNodes) else _checked.urls("nodes", nodes)
        self._settings = _checked.settings(settings)
        wait_max: float | None = self._settings.get("wait_max")
        self.wait_max: float = 30.0 if wait_max is None else wait_max
        self._own: tuple[int, _core.Client] = self._made()

    def _made(self) -> tuple[int, _core.Client]:
        nodes = self._nodes._core if isinstance(self._nodes, EmbeddedNodes) else self._nodes
        client = _core.Client(_process.runtime(), nodes, self._settings)
        _process.clients.add(self)
        return os.getpid(), client

    @property
    def core(self) -> _core.Client:
        """The one of this process."""
        if self._own[0] != os.getpid():
            self._own = self._made()
        return self._own[1]

    def connect(self) -> "Redfence":
        """Connects now. Raises `ConnectError` when too few nodes can be reached."""
        self.core.connect().run()
        return self

    def nodes(self) -> list[NodeStatus]:
        """The condition of every node now."""
        return [NodeStatus(*row) for row in self.core.nodes().run()]

    def locks(self, prefix: str = "") -> list[LockStatus]:
        """The locks whose names begin with `prefix`; 10,000 at most. Changes nothing.

        Raises `OperateError` when there may be more than that, or not every node answered.
        """
        rows, missing = self.core.locks(_checked.text("prefix", prefix), LISTED_MAX).run()
        if missing is not None:
            raise OperateError(f"the list is not complete: {missing}")
        return [LockStatus(name, Holder.parse(holder), left, nodes) for name, holder, left, nodes in rows]

    def owner(self, name: str) -> Holder | None:
        """The holder of `name` that a majority of nodes names, or None if it is free. It may be out of date when it arrives.

        Raises `NoQuorum` when no majority agrees.
        """
        return owner_of(name, self.core.inspect(_checked.name(name)).run())

    def extend_as(self, name: str, holder: Holder, ttl: float | None = None) -> float:
        """Extends the lease of `holder` to `ttl` seconds from now, after `Lease.leave`. Returns the validity in seconds.

        Raises `LostError` when a majority does not have the lock for this holder, else `ExtendError`: it lives as before.
        """
        return self._extend_as_op(name, holder, ttl).run()

    def _extend_as_op(self, name: str, holder: Holder, ttl: float | None) -> "_core.Op[float]":
        ttl = _checked.maybe(_checked.seconds, "ttl", ttl)
        return self.core.extend_as(_checked.name(name), _checked.name(str(holder), "holder"), ttl)

    def release_as(self, name: str, holder: Holder) -> str:
        """Releases the lease of `holder`, as `Lease.release`."""
        return found(name, self._release_as_op(name, holder).run())

    def _release_as_op(self, name: str, holder: Holder) -> "_core.Op[str]":
        return self.core.release_as(_checked.name(name), _checked.name(str(holder), "holder"))

    def reset(self, name: str, reason: str = "reset") -> bool:
        """Takes the lock of `name` from its holder; False if no holder had it.

        The old holder may still be working: only a store that checks tokens refuses its writes. The token of the next holder
        is greater in any case. `reason` goes to the log.
        """
        reason, holder = _checked.text("reason", reason), self.owner(name)
        if holder is None:
            return False
        return was_reset(name, self.core.force_release(name, str(holder), reason).run())

    def reset_all(self, prefix: str = "", reason: str = "reset_all") -> int:
        """Takes every lock whose name begins with `prefix` from its holder, as `reset`; returns how many."""
        taken, reason = 0, _checked.text("reason", reason)
        for lock in self.locks(prefix):
            outcome, *_ = self.core.force_release(lock.name, str(lock.holder), reason).run()
            taken += outcome == "released"
        return taken

    def bootstrap(self) -> None:
        """Declares the installation new, so that its nodes take part at once. Raises `OperateError` if it is not new."""
        self.core.bootstrap().run()

    def _drain(self, within: float) -> None:
        if self._own[0] == os.getpid():
            self._own[1].drain(within).run()

    def __repr__(self) -> str:
        nodes = self._nodes
        count = nodes.count if isinstance(nodes, EmbeddedNodes) else len(nodes)
        return f"<redfence.Redfence {count} nodes>"


def owner_of(
    name: str, inspection: tuple[str, str | None, list[tuple[str, str | None, float | None, bool, str | None]]]
) -> Holder | None:
    agreement, holder, rows = inspection
    if agreement == "indeterminate":
        votes = [
            Vote(address, "failed" if fault else "held" if held else "free", fault or held or "free", held, left)
            for address, held, left, _, fault in rows
        ]
        said = "; ".join(f"{vote.address}: {vote.text}" for vote in votes)
        raise NoQuorum(f"no majority agrees on who holds {name!r}: {said}", votes=votes)
    return None if holder is None else Holder.parse(holder)


def was_reset(name: str, forced: tuple[str, str | None, list[tuple[str, str, str, str | None]]]) -> bool:
    outcome, other, rows = forced
    votes = [Vote(*row) for row in rows]
    if outcome == "no quorum":
        said = "; ".join(f"{vote.address}: {vote.text}" for vote in votes)
        raise OperateError(f"{name!r} was not taken away: too few nodes answered: {said}", votes=votes)
    if outcome == "held by other":
        raise OperateError(f"{name!r} was not taken away: meanwhile {other} has it", votes=votes)
    return outcome == "released"


_of_urls: "weakref.WeakValueDictionary[tuple[str, ...], Redfence]" = weakref.WeakValueDictionary()
# Kept, so that a lock that is made anew for every use does not connect for every use.
_latest: "deque[Redfence]" = deque(maxlen=8)


def client_of(client: "Redfence | str | Sequence[str]") -> Redfence:
    """A client; for URLs the one of this process that has them, with the defaults."""
    if isinstance(client, Redfence):
        return client
    urls = tuple(_checked.urls("client", client, "a Redfence, a URL, or a list of the URLs of the nodes"))
    known = _of_urls.get(urls)
    if known is None:
        known = _of_urls[urls] = Redfence(urls)
        _latest.append(known)
    return known


def connect(nodes: str | Sequence[str], **settings: "Unpack[ClientSettings]") -> Redfence:
    """Connects to nodes by their URLs; settings as for `Redfence`.

    Raises `ConnectError` when too few can be reached, within `dial_timeout` and 3.1 s.
    """
    return Redfence(nodes, **settings).connect()


def embedded(count: int = 1, **settings: "Unpack[ClientSettings]") -> Redfence:
    """A client over `count` new nodes in this process, for tests: no server is needed."""
    return Redfence(EmbeddedNodes(count), **settings)
