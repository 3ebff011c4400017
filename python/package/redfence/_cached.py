"""Values that one process computes for all."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence

from . import _checked, _core, _process
from ._client import Redfence, client_of

TTL_MIN, TTL_MAX = 0.001, 365 * 86_400.0


class _Store:
    """A store; each process has its own connection, or its own memory."""

    def __init__(self) -> None:
        self._own = (os.getpid(), self._made())

    def _made(self) -> _core.CacheStore:
        raise NotImplementedError

    @property
    def core(self) -> _core.CacheStore:
        if self._own[0] != os.getpid():
            self._own = (os.getpid(), self._made())
        return self._own[1]


class MemoryCache(_Store):
    """Keeps `entries_max` values in this process: for its threads and tasks, and for tests. A fork begins with an empty one."""

    def __init__(self, entries_max: int = 10_000) -> None:
        self._entries_max = _checked.count("entries_max", entries_max)
        super().__init__()

    def _made(self) -> _core.CacheStore:
        return _core.CacheStore.memory(self._entries_max)


class RedisCache(_Store):
    """Keeps values in one Redis or Valkey, which need not be a node of the lock. It connects at the first call.

    Values expire, fences do not: give the server ``maxmemory-policy volatile-ttl``. Raises `ValueError` for a bad URL.
    """

    def __init__(self, url: str, prefix: str = "redfence:cache") -> None:
        self._url, self._prefix = _checked.text("the URL of the store", url), _checked.text("prefix", prefix)
        super().__init__()

    def _made(self) -> _core.CacheStore:
        return _core.CacheStore.redis(_process.runtime(), self._url, self._prefix)


class CachedBase:
    """The common part of the caches for threads and for event loops."""

    def __init__(
        self,
        client: Redfence | str | Sequence[str],
        store: MemoryCache | RedisCache | str,
        *,
        wait_max: float | None = None,
        early_refresh: int = 100,
        store_timeout: float = 1.0,
        if_unavailable: str = "fail",
    ) -> None:
        if if_unavailable not in ("fail", "compute"):
            raise ValueError(f'if_unavailable is {if_unavailable!r}: it has to be "fail" or "compute"')
        self.client = client_of(client)
        self.store = RedisCache(store) if isinstance(store, str) else store
        if not isinstance(self.store, _Store):
            raise TypeError(f"store is {store!r}: it has to be a MemoryCache, a RedisCache, or the URL of one")
        self._settings = (
            self.client.wait_max if wait_max is None else _checked.seconds("wait_max", wait_max),
            _checked.seconds("store_timeout", store_timeout),
            _checked.count("early_refresh", early_refresh),
            if_unavailable == "compute",
        )
        self._own = self._made()

    def _made(self) -> tuple[int, _core.Cached]:
        return os.getpid(), _core.Cached(self.store.core, *self._settings)

    def _lookup(self, key: str, ttl: float) -> _core.Op[tuple[bytes | None, _core.Computation | _core.Refresh | None]]:
        allowed = f"{TTL_MIN} to {TTL_MAX:.0f}"
        if not TTL_MIN <= _checked.seconds("ttl", ttl, allowed) <= TTL_MAX:
            raise ValueError(f"ttl is {ttl!r}: it has to be a number of seconds, {allowed}")
        return self._single_flight.lookup(self.client.core, _checked.name(key, "key"))

    def _invalidate_op(self, key: str) -> _core.Op[None]:
        return self._single_flight.invalidate(self.client.core, _checked.name(key, "key"))

    @property
    def _single_flight(self) -> _core.Cached:
        """The one of this process."""
        if self._own[0] != os.getpid():
            self._own = self._made()
        return self._own[1]


class Cached(CachedBase):
    """Values that are computed once for all processes that want them, for threads.

    `client`: a `Redfence`, or URLs. `store`: a `MemoryCache`, or a `RedisCache` or its URL. A value is bytes, 16 MiB at most.
    A key is also the name of the lock under which its value is computed: give cached values names of their own. The threads
    of a process share one object.

    `wait_max`: for how many seconds a call waits for another one; the client's if not given. `early_refresh`: how early a
    value is computed anew, in percent of the time that computing it takes; 0 switches it off. `store_timeout`: seconds.
    `if_unavailable`: whether a call fails (``"fail"``) or computes all the same (``"compute"``) when too few nodes answer or
    the store fails. `run_in_background` runs an early refresh; a thread of its own if not given.
    """

    def __init__(
        self,
        client: Redfence | str | Sequence[str],
        store: MemoryCache | RedisCache | str,
        *,
        wait_max: float | None = None,
        early_refresh: int = 100,
        store_timeout: float = 1.0,
        if_unavailable: str = "fail",
        run_in_background: Callable[[Callable[[], None]], object] | None = None,
    ) -> None:
        super().__init__(
            client,
            store,
            wait_max=wait_max,
            early_refresh=early_refresh,
            store_timeout=store_timeout,
            if_unavailable=if_unavailable,
        )
        self._run_in_background = run_in_background or _on_a_thread

    def get_or_compute(self, key: str, ttl: float, compute: Callable[[], bytes]) -> bytes:
        """The value of `key`. If there is none, one caller in all processes runs `compute`, and the value lives `ttl` seconds.

        The others wait, are woken, and get it. If `compute` raises, its caller gets that, and the next caller computes.
        Shortly before the value expires, `compute` runs in the background, and all callers get the old value meanwhile. The
        value is written under the token of the lease: one that is stale is refused, and its caller gets the newer one.

        Raises the `AcquireError`s, `Contended` also if another thread of this process takes too long, and `CacheError`.
        """
        _checked.callback("compute", compute)
        value, right = self._lookup(key, ttl).run()
        if isinstance(right, _core.Computation):
            return _computed(right, ttl, compute)
        if right is not None:
            self._run_in_background(lambda: _refreshed(right, ttl, compute))
        assert value is not None
        return value

    def invalidate(self, key: str) -> None:
        """Removes the value of `key`, after the data behind it has changed; waits for a computation that runs.

        When it has returned, no process reads a value whose computation began before the call. Raises as `get_or_compute`.
        """
        self._invalidate_op(key).run()


def _computed(computation: _core.Computation, ttl: float, compute: Callable[[], bytes]) -> bytes:
    try:
        op = computation.finish(_checked.value(compute()), ttl)
    except BaseException:
        computation.abandon().run()
        raise
    return op.run()


def _refreshed(refresh: _core.Refresh, ttl: float, compute: Callable[[], bytes]) -> None:
    computation = refresh.begin().run()
    if computation is not None:
        _computed(computation, ttl, compute)


def _on_a_thread(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name="redfence-refresh", daemon=True).start()
