"""Exceptions: one class for each kind of call, with the vote of each node."""

from collections.abc import Sequence
from typing import Any, NamedTuple


class Vote(NamedTuple):
    """The answer of one node to an attempt."""

    address: str
    """The node. Never with a password."""
    kind: str
    """``granted``, ``refused``, ``failed``, ``silent``, ``pending`` or ``not asked``; of an owner or a reset ``held``, ``free``,
    ``released`` or ``failed``."""
    text: str
    """The same in words, with the reason."""
    holder: str | None = None
    """The value that the node stores for the holder, if it refused or was asked for the holder."""
    ttl_left: float | None = None
    """If it refused: for how many more seconds the lock lives there."""


class RedfenceError(Exception):
    """The base of every exception of this package. It can be pickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Not by a call of the class with `args`, for most classes need more: a pool of processes would wait without an end.
        return _restored, (type(self), self.args, self.__dict__)


def _restored(kind: type[RedfenceError], args: tuple[Any, ...], attributes: dict[str, Any]) -> RedfenceError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(attributes)
    return error


class ConfigError(RedfenceError, ValueError):
    """Settings that contradict each other. The message names the fix."""


class NameError(RedfenceError, ValueError):
    """A name or a holder that cannot be used. A name has 1 to 512 bytes and no control characters."""


class ConnectError(RedfenceError, ConnectionError):
    """Too few nodes can be reached."""

    def __init__(self, message: str, *, unreachable: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.unreachable = list(unreachable)
        """The address of each node that could not be reached, and why."""


class _WithVotes(RedfenceError):
    def __init__(self, message: str, *, votes: Sequence[Vote] = (), resource: str | None = None) -> None:
        super().__init__(message)
        self.votes = list(votes)
        """Every node's vote at the last attempt, in the order of the nodes."""
        self.resource = resource
        """Which of several resources it is about."""


class AcquireError(_WithVotes):
    """No lease was acquired."""

    def __init__(
        self,
        message: str,
        *,
        votes: Sequence[Vote] = (),
        attempts: int = 0,
        waited: float = 0.0,
        resource: str | None = None,
    ) -> None:
        super().__init__(message, votes=votes, resource=resource)
        self.attempts = attempts
        """How often the nodes were asked."""
        self.waited = waited
        """Seconds from the call to the end of the last attempt."""


class Contended(AcquireError):
    """Another holder has it. The nodes are well: try later."""


class AllHeld(Contended):
    """All permits of a semaphore are held, or other calls wait before this one. The nodes are well: try later."""

    def __init__(self, message: str, *, permits: int, **more: Any) -> None:
        super().__init__(message, **more)
        self.permits = permits
        """How many there are. `votes` are those of one of them."""


class NoQuorum(AcquireError):
    """Too many nodes do not answer, or answer with errors."""


class Overloaded(AcquireError):
    """Too many nodes answered too late to count."""


class TooSlow(AcquireError):
    """A quorum granted, too late to rely on it."""


class ExtendError(_WithVotes):
    """The lease was not extended. It lives as long as before; another try may succeed."""


class NotStored(ExtendError):
    """The work succeeded, but too few nodes stored its period within 30 s: the work may be done again within it."""


class LostError(RedfenceError):
    """The lease is over: the program must no longer touch what it protected."""

    def __init__(self, message: str, *, cause: str, resource: str | None = None) -> None:
        super().__init__(message)
        self.cause = cause
        """``expired``, ``taken``, ``max_hold``, ``forked`` or ``released``."""
        self.resource = resource
        """Which of several leases was lost."""


class ReleaseError(RedfenceError):
    """A release found no lease, or one that had ended. Nothing is held afterwards."""


class NotAcquired(ReleaseError, RuntimeError):
    """This object holds nothing."""


class Overrun(ReleaseError):
    """The lease had ended before its release, so the work went on without it. A fencing token protects what it wrote."""

    def __init__(self, message: str, *, outcome: str) -> None:
        super().__init__(message)
        self.outcome = outcome
        """``expired``, or ``taken`` when another holder had it already."""


class CacheError(RedfenceError):
    """The store of cached values failed. After a write it is not known whether it has the value."""


class OperateError(_WithVotes):
    """A call for operators did not do what was asked. The message says what it did."""


class NoToken(RedfenceError):
    """A `NoLock` has no fencing token."""


class StaleToken(RedfenceError):
    """A newer holder has written. Roll back, acquire again, and read again before writing."""

    def __init__(self, resource: str, token: int, highest: int) -> None:
        super().__init__(f"token {token} of {resource!r} is stale: {highest} was seen")
        self.resource = resource
        self.token = token
        """The token that was offered."""
        self.highest = highest
        """The highest token that was seen."""


class Refused(RedfenceError):
    """A request without a valid fencing token."""

    def __init__(self, message: str, *, status: int, problem: str) -> None:
        super().__init__(message)
        self.status = status
        """The status code of the answer: 428 without a token, 400 for one that cannot be read; a server may have others."""
        self.problem = problem
        """The body of the answer: ``application/problem+json``."""
