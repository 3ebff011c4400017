"""Cache backends with locks: ``"BACKEND": "redfence.django.cache.RedisCache"``.

``lock`` has the arguments of python-redis-lock's backend and of django-redis's. The locks are on the nodes of
``settings.REDFENCE``, wherever the cache is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.locmem import LocMemCache as PlainLocMemCache
from django.core.cache.backends.redis import RedisCache as PlainRedisCache

from .._lock import Lock
from ._settings import client as locks


class Locking:
    """For any cache backend: ``class Mine(Locking, django_redis.cache.RedisCache): pass``."""

    def lock(
        self,
        key: str,
        expire: float | None = None,
        id: str | None = None,
        auto_renewal: bool = False,
        *,
        version: int | None = None,
        timeout: float | None = None,
        blocking: bool = True,
        blocking_timeout: float | None = None,
        sleep: float = 0.1,
        client: Any = None,
        thread_local: bool = True,
    ) -> Lock:
        """A lock on the key, with the cache's prefix and version.

        `expire`, or `timeout`: its TTL in seconds, renewed with `auto_renewal`. Without one it is renewed. A ``with`` waits
        for `blocking_timeout` seconds, or ``wait_max``. `id` is the label. `client`, `sleep` and `thread_local` do nothing.
        """
        ttl = expire if expire is not None else timeout
        wait_max = blocking_timeout if blocking else 0.0
        name: str = self.make_key(key, version=version)  # type: ignore[attr-defined]
        return Lock(locks(), name, ttl=ttl, renewed=auto_renewal or ttl is None, wait_max=wait_max, label=id)

    def locked_get_or_set(
        self,
        key: str,
        value_creator: Callable[[], Any],
        version: int | None = None,
        expire: float | None = None,
        id: str | None = None,
        lock_key: str | None = None,
        timeout: Any = DEFAULT_TIMEOUT,
    ) -> Any:
        """The value of the key; where there is none, `value_creator` makes it, in one process at a time.

        Raises `ValueError` when it makes None.
        """
        cache: Any = self
        value = cache.get(key, version=version)
        if value is not None:
            return value
        with self.lock(lock_key or f"get_or_set:{key}", expire=expire, id=id, version=version):
            value = cache.get(key, version=version)
            if value is not None:
                return value
            value = value_creator()
            if value is None:
                raise ValueError("`value_creator` must return a value")
            cache.set(key, value, timeout=timeout, version=version)
            return value

    def reset_all(self) -> int:
        """Takes every lock of this cache's prefix from its holder, as `redfence.Redfence.reset_all`; returns how many."""
        prefix: str = self.key_prefix  # type: ignore[attr-defined]
        return locks().reset_all(f"{prefix}:")


class RedisCache(Locking, PlainRedisCache):
    """Django's own, with locks."""


class LocMemCache(Locking, PlainLocMemCache):
    """Each process's own memory, with locks among all processes."""
