"""redis-py's `redis.lock.Lock` and `redis.asyncio.lock.Lock` over redfence: the same arguments, methods and errors.

With a timeout the lease lives that long and is not renewed, as there. Without one it is renewed: there is no lock without
an end. `redis_py.md` says what differs.
"""

from __future__ import annotations

import logging
import math
import time
from types import SimpleNamespace, TracebackType
from typing import Any

import redfence
from redfence import aio
from redis.exceptions import LockError, LockNotOwnedError

logger = logging.getLogger(__name__)


def url_of(redis: Any) -> str:
    """The URL of the server that a client of redis-py talks to."""
    to = redis.connection_pool.connection_kwargs
    if "path" in to:
        return f"unix://{to['path']}?db={to.get('db') or 0}"
    return f"redis://{to.get('host', 'localhost')}:{to.get('port', 6379)}/{to.get('db') or 0}"


class _Lock:
    """What both have in common. One node, as there; for more pass a `redfence.Redfence` in place of the client."""

    def __init__(
        self,
        redis: Any,
        name: str,
        timeout: float | None = None,
        sleep: float = 0.1,
        blocking: bool = True,
        blocking_timeout: float | None = None,
        thread_local: bool = True,
        raise_on_release_error: bool = True,
    ) -> None:
        is_ours = isinstance(redis, redfence.Redfence)
        self.client = redis if is_ours else redfence.Redfence(url_of(redis), max_ttl=3600.0, new_installation=True)
        self.name = name
        self.timeout = timeout
        self.blocking = blocking
        self.blocking_timeout = blocking_timeout
        self.raise_on_release_error = raise_on_release_error
        # Not thread-local: another thread may release.
        self.local = SimpleNamespace(token=None)
        self._holder: redfence.Holder | None = None
        self._ends = math.inf

    def _settings(self) -> dict[str, Any]:
        return {} if self.timeout is None else {"ttl": self.timeout, "renewed": False}

    def _wait(self, blocking: bool | None, blocking_timeout: float | None) -> float:
        if not (self.blocking if blocking is None else blocking):
            return 0.0
        wait = self.blocking_timeout if blocking_timeout is None else blocking_timeout
        return math.inf if wait is None else wait

    def _refuse(self, token: str | bytes | None) -> None:
        if token is not None:
            raise LockError("redfence draws the token: one that is chosen may be used twice", lock_name=self.name)

    def _acquired(self, lease: redfence.Lease | aio.Lease) -> None:
        self._holder = lease.holder
        self.local.token = str(lease.holder).encode()
        if self.timeout is not None:
            self._ends = time.monotonic() + lease.valid_for
            lease.leave()

    def _held(self, verb: str) -> redfence.Holder:
        if self._holder is None:
            raise LockError(f"Cannot {verb} an unlocked lock", lock_name=self.name)
        return self._holder

    def _forget(self) -> redfence.Holder:
        holder = self._held("release")
        self._holder = self.local.token = None
        return holder

    def _ttl(self, verb: str, additional: float | None, replace: bool) -> tuple[redfence.Holder, float]:
        holder = self._held(verb)
        if self.timeout is None:
            raise LockError(f"Cannot {verb} a lock with no timeout", lock_name=self.name)
        if additional is None:
            return holder, self.timeout
        return holder, additional + (0.0 if replace else max(0.0, self._ends - time.monotonic()))

    def _not_owned(self, verb: str) -> LockNotOwnedError:
        return LockNotOwnedError(f"Cannot {verb} a lock that's no longer owned", lock_name=self.name)

    def _not_acquired(self) -> LockError:
        return LockError("Unable to acquire lock within the time specified", lock_name=self.name)

    def _is_silent(self, error: LockError) -> bool:
        if not self.raise_on_release_error:
            logger.warning("%r was unlocked or no longer owned when its block ended", self.name)
        return not self.raise_on_release_error


class Lock(_Lock):
    """In place of `redis.lock.Lock`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lock = redfence.Lock(self.client, self.name, **self._settings())

    def acquire(
        self,
        sleep: float | None = None,
        blocking: bool | None = None,
        blocking_timeout: float | None = None,
        token: str | bytes | None = None,
    ) -> bool:
        self._refuse(token)
        if not self._lock.acquire(timeout=self._wait(blocking, blocking_timeout)):
            return False
        assert self._lock.lease is not None
        self._acquired(self._lock.lease)
        return True

    def locked(self) -> bool:
        return self._lock.locked()

    def owned(self) -> bool:
        return self._holder is not None and self._lock.owner() == self._holder

    def release(self) -> None:
        holder = self._forget()
        try:
            if self.timeout is None:
                self._lock.release()
            else:
                self.client.release_as(self.name, holder)
        except redfence.Overrun as error:
            raise self._not_owned("release") from error

    def extend(self, additional_time: float, replace_ttl: bool = False) -> bool:
        return self._extend("extend", additional_time, replace_ttl)

    def reacquire(self) -> bool:
        return self._extend("reacquire", None, True)

    def _extend(self, verb: str, additional: float | None, replace: bool) -> bool:
        holder, ttl = self._ttl(verb, additional, replace)
        try:
            self._ends = time.monotonic() + self.client.extend_as(self.name, holder, ttl)
        except redfence.LostError as error:
            raise self._not_owned(verb) from error
        return True

    def __enter__(self) -> Lock:
        if not self.acquire():
            raise self._not_acquired()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.release()
        except LockError as refused:
            if not self._is_silent(refused):
                raise


class AsyncLock(_Lock):
    """In place of `redis.asyncio.lock.Lock`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lock = aio.Lock(self.client, self.name, **self._settings())

    async def acquire(
        self,
        blocking: bool | None = None,
        blocking_timeout: float | None = None,
        token: str | bytes | None = None,
    ) -> bool:
        self._refuse(token)
        if not await self._lock.acquire(timeout=self._wait(blocking, blocking_timeout)):
            return False
        assert self._lock.lease is not None
        self._acquired(self._lock.lease)
        return True

    async def locked(self) -> bool:
        return await self._lock.locked()

    async def owned(self) -> bool:
        return self._holder is not None and await self._lock.owner() == self._holder

    async def release(self) -> None:
        holder = self._forget()
        try:
            if self.timeout is None:
                await self._lock.release()
            else:
                await aio.release_as(self.client, self.name, holder)
        except redfence.Overrun as error:
            raise self._not_owned("release") from error

    async def extend(self, additional_time: float, replace_ttl: bool = False) -> bool:
        return await self._extend("extend", additional_time, replace_ttl)

    async def reacquire(self) -> bool:
        return await self._extend("reacquire", None, True)

    async def _extend(self, verb: str, additional: float | None, replace: bool) -> bool:
        holder, ttl = self._ttl(verb, additional, replace)
        try:
            validity = await aio.extend_as(self.client, self.name, holder, ttl)
        except redfence.LostError as error:
            raise self._not_owned(verb) from error
        self._ends = time.monotonic() + validity
        return True

    async def __aenter__(self) -> AsyncLock:
        if not await self.acquire():
            raise self._not_acquired()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self.release()
        except LockError as refused:
            if not self._is_silent(refused):
                raise
