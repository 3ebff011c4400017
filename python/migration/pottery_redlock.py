"""pottery's `Redlock`, `AIORedlock` and `synchronize` over redfence: the same arguments, methods and exceptions.

The lease lives `auto_release_time` and is not renewed, as there. `pottery.md` says what differs.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, TypeVar

import redfence
from redfence import aio

from pottery.exceptions import (
    ExtendUnlockedLock,
    QuorumIsImpossible,
    QuorumNotAchieved,
    ReleaseUnlockedLock,
    TooManyExtensions,
)
from redis_py import url_of

F = TypeVar("F", bound=Callable[..., Any])

_clients: dict[frozenset[str], redfence.Redfence] = {}


def client_of(masters: Any) -> redfence.Redfence:
    """One client for the same masters."""
    if isinstance(masters, redfence.Redfence):
        return masters
    urls = frozenset(map(url_of, masters))
    if urls not in _clients:
        _clients[urls] = redfence.Redfence(sorted(urls), max_ttl=3600.0, new_installation=True)
    return _clients[urls]


class _Redlock:
    """What both have in common."""

    __slots__ = (
        "_client", "_ends", "_extensions", "_holder", "_name", "auto_release_time", "context_manager_blocking",
        "context_manager_timeout", "key", "masters", "num_extensions", "raise_on_redis_errors",
    )

    _NUM_EXTENSIONS = 3

    def __init__(
        self,
        *,
        key: str,
        masters: Iterable[Any] | redfence.Redfence,
        raise_on_redis_errors: bool = False,
        auto_release_time: float = 10,
        num_extensions: int = _NUM_EXTENSIONS,
        context_manager_blocking: bool = True,
        context_manager_timeout: float = -1,
    ) -> None:
        self._wait(context_manager_blocking, context_manager_timeout)
        self._client = client_of(masters)
        self._name = key
        self.key = f"redlock:{key}"
        self.masters = frozenset() if isinstance(masters, redfence.Redfence) else frozenset(masters)
        self.raise_on_redis_errors = raise_on_redis_errors
        self.auto_release_time = auto_release_time
        self.num_extensions = num_extensions
        self.context_manager_blocking = context_manager_blocking
        self.context_manager_timeout = context_manager_timeout
        self._holder: redfence.Holder | None = None
        self._ends = -math.inf
        self._extensions = 0

    def _wait(self, blocking: bool, timeout: float) -> float:
        if not blocking and timeout != -1:
            raise ValueError("can't specify a timeout for a non-blocking call")
        return 0.0 if not blocking else math.inf if timeout == -1 else timeout

    def _settings(self) -> dict[str, Any]:
        return {"ttl": self.auto_release_time, "renewed": False}

    def _acquired(self, lease: redfence.Lease | aio.Lease | None) -> bool:
        if lease is None:
            return False
        self._ends = time.monotonic() + lease.valid_for
        self._extensions = 0
        self._holder = lease.leave()
        return True

    def _not_acquired(self, error: redfence.AcquireError, raises: bool | None) -> bool:
        if not isinstance(error, redfence.Contended):
            self._raise_if_asked(error, raises)
        return False

    def _raise_if_asked(self, error: redfence.RedfenceError | None, raises: bool | None) -> None:
        if self.raise_on_redis_errors if raises is None else raises:
            raise QuorumIsImpossible(self.key, self.masters) from error

    def _left(self, owner: redfence.Holder | None) -> float:
        return max(0.0, self._ends - time.monotonic()) if owner is not None and owner == self._holder else 0

    def _to_extend(self) -> redfence.Holder:
        if self._extensions >= self.num_extensions:
            raise TooManyExtensions(self.key, self.masters)
        if self._holder is None:
            raise ExtendUnlockedLock(self.key, self.masters)
        return self._holder

    def _extended(self, validity: float) -> None:
        self._ends = time.monotonic() + validity
        self._extensions += 1

    def _not_extended(self, error: redfence.RedfenceError, raises: bool | None) -> ExtendUnlockedLock:
        if isinstance(error, redfence.ExtendError):
            self._raise_if_asked(error, raises)
        return ExtendUnlockedLock(self.key, self.masters)

    def _to_release(self) -> redfence.Holder:
        if self._holder is None:
            raise self._not_locked()
        holder, self._holder = self._holder, None
        return holder

    def _released(self, outcome: str, raises: bool | None) -> None:
        if outcome == "unknown":
            self._raise_if_asked(None, raises)
            raise self._not_locked()

    def _not_locked(self) -> ReleaseUnlockedLock:
        return ReleaseUnlockedLock(self.key, self.masters, redis_errors=[])

    def __repr__(self) -> str:
        return f"<{type(self).__qualname__} key={self.key}>"


class Redlock(_Redlock):
    """In place of `pottery.Redlock`."""

    __slots__ = ()

    def acquire(
        self, *, blocking: bool = True, timeout: float = -1, raise_on_redis_errors: bool | None = None
    ) -> bool:
        wait = self._wait(blocking, timeout)
        lock = redfence.Lock(self._client, self._name, **self._settings())
        try:
            return self._acquired(lock.lease if lock.acquire(timeout=wait) else None)
        except redfence.AcquireError as error:
            return self._not_acquired(error, raise_on_redis_errors)

    def locked(self, *, raise_on_redis_errors: bool | None = None) -> float:
        try:
            return self._left(self._client.owner(self._name))
        except redfence.NoQuorum as error:
            self._raise_if_asked(error, raise_on_redis_errors)
            return 0

    def extend(self, *, raise_on_redis_errors: bool | None = None) -> None:
        holder = self._to_extend()
        try:
            self._extended(self._client.extend_as(self._name, holder, self.auto_release_time))
        except (redfence.LostError, redfence.ExtendError) as error:
            raise self._not_extended(error, raise_on_redis_errors) from error

    def release(self, *, raise_on_redis_errors: bool | None = None) -> None:
        holder = self._to_release()
        try:
            self._released(self._client.release_as(self._name, holder), raise_on_redis_errors)
        except redfence.Overrun as error:
            raise self._not_locked() from error

    def __enter__(self) -> Redlock:
        if not self.acquire(blocking=self.context_manager_blocking, timeout=self.context_manager_timeout):
            raise QuorumNotAchieved(self.key, self.masters)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()


class AIORedlock(_Redlock):
    """In place of `pottery.AIORedlock`."""

    __slots__ = ()

    async def acquire(
        self, *, blocking: bool = True, timeout: float = -1, raise_on_redis_errors: bool | None = None
    ) -> bool:
        wait = self._wait(blocking, timeout)
        lock = aio.Lock(self._client, self._name, **self._settings())
        try:
            return self._acquired(lock.lease if await lock.acquire(timeout=wait) else None)
        except redfence.AcquireError as error:
            return self._not_acquired(error, raise_on_redis_errors)

    async def locked(self, *, raise_on_redis_errors: bool | None = None) -> float:
        try:
            return self._left(await aio.Lock(self._client, self._name).owner())
        except redfence.NoQuorum as error:
            self._raise_if_asked(error, raise_on_redis_errors)
            return 0

    async def extend(self, *, raise_on_redis_errors: bool | None = None) -> None:
        holder = self._to_extend()
        try:
            self._extended(await aio.extend_as(self._client, self._name, holder, self.auto_release_time))
        except (redfence.LostError, redfence.ExtendError) as error:
            raise self._not_extended(error, raise_on_redis_errors) from error

    async def release(self, *, raise_on_redis_errors: bool | None = None) -> None:
        holder = self._to_release()
        try:
            self._released(await aio.release_as(self._client, self._name, holder), raise_on_redis_errors)
        except redfence.Overrun as error:
            raise self._not_locked() from error

    async def __aenter__(self) -> AIORedlock:
        if not await self.acquire(blocking=self.context_manager_blocking, timeout=self.context_manager_timeout):
            raise QuorumNotAchieved(self.key, self.masters)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.release()


def synchronize(
    *,
    key: str,
    masters: Iterable[Any] | redfence.Redfence,
    raise_on_redis_errors: bool = False,
    auto_release_time: float = 10,
    blocking: bool = True,
    timeout: float = -1,
) -> Callable[[F], F]:
    """In place of `pottery.synchronize`."""

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def synchronized(*args: Any, **kwargs: Any) -> Any:
            with Redlock(
                key=key,
                masters=masters,
                raise_on_redis_errors=raise_on_redis_errors,
                auto_release_time=auto_release_time,
                context_manager_blocking=blocking,
                context_manager_timeout=timeout,
            ):
                return function(*args, **kwargs)

        return synchronized  # type: ignore[return-value]

    return decorate
