"""The lease under which models are saved."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from .._errors import RedfenceError


class NotGuarded(RedfenceError):
    """A fenced model was written outside of a `guarded` block."""


class Leased(Protocol):
    """A lease, or a lock that has one, or what a request has presented."""

    @property
    def token(self) -> int: ...


_current: ContextVar[Leased | None] = ContextVar("redfence_lease", default=None)


@contextmanager
def guarded(lease: Leased) -> Iterator[None]:
    """Writes of `Fenced` models in the block carry the token of `lease`: of a `Lease`, or of a request's `Presented`."""
    before = _current.set(lease)
    try:
        yield
    finally:
        _current.reset(before)


def token_now(what: str) -> int:
    """The token of the block. Raises `LostError` once its lease is over."""
    lease = _current.get()
    if lease is None:
        raise NotGuarded(f"{what} is fenced: write it within `with redfence.django.guarded(lease):`")
    check = getattr(lease, "check", None)
    if check is not None:
        check()
    return lease.token
