"""python-redis-lock's `redis_lock` over redfence: the same names, arguments, errors and lines in the log.

With `expire` alone the lease lives that long; with `auto_renewal` it is renewed. Without `expire` it is renewed: there is
no lock without an end. The `id` is what `Lock.get_owner_id` reads, as the label of the holder. `python_redis_lock.md`
says what differs.
"""

from __future__ import annotations

import math
import uuid
from logging import getLogger
from types import TracebackType
from typing import Any

import redfence
from redis import StrictRedis

from redis_py import url_of

_acquires = getLogger(f"{__name__}.acquire")
_releases = getLogger(f"{__name__}.release")


class AlreadyAcquired(RuntimeError):
    pass


class NotAcquired(RuntimeError):
    pass


class TimeoutNotUsable(RuntimeError):
    pass


class InvalidTimeout(RuntimeError):
    pass


class TimeoutTooLarge(RuntimeError):
    pass


class NotExpirable(RuntimeError):
    pass


_clients: dict[str, redfence.Redfence] = {}


def client_of(redis_client: Any) -> redfence.Redfence:
    """One client a server. For more than one node pass a `redfence.Redfence` in place of the connection."""
    if isinstance(redis_client, redfence.Redfence):
        return redis_client
    url = url_of(redis_client)
    if url not in _clients:
        _clients[url] = redfence.Redfence(url, max_ttl=3600.0, new_installation=True)
    return _clients[url]


def _seconds(expire: Any) -> int | float | None:
    if expire is None:
        return None
    number = expire if isinstance(expire, float) else int(expire)
    if number < 0:
        raise ValueError("A negative expire is not acceptable.")
    return number or None


class Lock:
    """In place of `redis_lock.Lock`."""

    def __init__(
        self,
        redis_client: Any,
        name: str,
        expire: Any = None,
        id: str | bytes | None = None,
        auto_renewal: bool = False,
        strict: bool = True,
        signal_expire: int = 1000,
        blocking: bool = True,
    ) -> None:
        if strict and not isinstance(redis_client, (StrictRedis, redfence.Redfence)):
            raise ValueError("redis_client must be instance of StrictRedis. Use strict=False if you know what you're doing.")
        if auto_renewal and expire is None:
            raise ValueError("Expire may not be None when auto_renewal is set")
        if not isinstance(id, (str, bytes, type(None))):
            raise TypeError(f"Incorrect type for `id`. Must be bytes/str not {type(id)}.")
        self._redis = redis_client
        self._expire = _seconds(expire)
        self._name = f"lock:{name}"
        self._resource = name
        self._blocking = blocking
        self._is_renewed = auto_renewal or self._expire is None
        self._lock_renewal_interval = self._expire * 2 / 3 if auto_renewal and self._expire else None
        self._lock_renewal_thread = None
        self.id = id.decode() if isinstance(id, bytes) else id or uuid.uuid4().hex
        self._made: redfence.Lock | None = None

    @property
    def _lock(self) -> redfence.Lock:
        """Made at the first call, as nothing is to be asked before."""
        if self._made is None:
            client = client_of(self._redis)
            self._made = redfence.Lock(
                client, self._resource, ttl=self._expire, renewed=self._is_renewed, max_hold=math.inf, label=self.id
            )
        return self._made

    def get_owner_id(self) -> str | None:
        owner = self._lock.owner()
        return None if owner is None else owner.label

    def _mine(self) -> redfence.Holder | None:
        owner = self._lock.owner()
        return owner if owner is not None and owner.label == self.id else None

    def acquire(self, blocking: bool = True, timeout: Any = None) -> bool:
        _acquires.debug("Acquiring Lock(%r) ...", self._name)
        if not blocking and timeout is not None:
            raise TimeoutNotUsable("Timeout cannot be used if blocking=False")
        wait = self._wait(timeout) if blocking else 0.0
        if self._mine() is not None:
            raise AlreadyAcquired("Already acquired from this Lock instance.")
        if not self._lock.acquire(timeout=wait):
            _acquires.warning("Failed to acquire Lock(%r).", self._name)
            return False
        lease = self._lock.lease
        if lease is not None and not self._is_renewed:
            lease.leave()
        _acquires.info("Acquired Lock(%r).", self._name)
        return True

    def _wait(self, timeout: Any) -> float:
        seconds = int(timeout) if timeout else 0
        if seconds < 0:
            raise InvalidTimeout(f"Timeout ({seconds}) cannot be less than or equal to 0")
        if self._expire and not self._is_renewed and seconds > self._expire:
            raise TimeoutTooLarge(f"Timeout ({seconds}) cannot be greater than expire ({self._expire})")
        return float(seconds) if seconds else math.inf

    def extend(self, expire: Any = None) -> None:
        ttl = _seconds(expire) or self._expire
        if ttl is None:
            raise TypeError("To extend a lock 'expire' must be provided as an argument to extend() method or at initialization time.")
        holder = self._mine()
        if holder is None:
            raise NotAcquired(f"Lock {self._name} is not acquired or it already expired.")
        if self._made is not None and self._made.owned() and self._expire is None:
            raise NotExpirable(f"Lock {self._name} has no assigned expiration time")
        try:
            self._lock.client.extend_as(self._resource, holder, ttl)
        except redfence.LostError as error:
            raise NotAcquired(f"Lock {self._name} is not acquired or it already expired.") from error

    def release(self) -> None:
        _releases.debug("Releasing Lock(%r).", self._name)
        holder = self._mine()
        if holder is None:
            raise NotAcquired(f"Lock {self._name} is not acquired or it already expired.")
        lease = self._lock.lease
        try:
            if lease is not None and lease.holder == holder and self._is_renewed:
                self._lock.release()
            else:
                self._lock.client.release_as(self._resource, holder)
        except redfence.Overrun as error:
            raise NotAcquired(f"Lock {self._name} is not acquired or it already expired.") from error

    def locked(self) -> bool:
        return self._lock.locked()

    def reset(self) -> None:
        self._lock.reset()

    def __enter__(self) -> Lock:
        if not self.acquire(blocking=self._blocking):
            raise NotAcquired(f"Lock({self._name}) is not acquired or it already expired.")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()


def reset_all(redis_client: Any) -> None:
    """Takes every lock away."""
    client_of(redis_client).reset_all()
