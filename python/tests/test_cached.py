"""Values that are computed once, for threads and for event loops."""

import asyncio
import os
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import redfence
from conftest import Connect
from redfence import aio
from servers import PROMPT, Server, eventually

TTL = 600.0
EARLY = 4_000_000_000
"""Every reader takes the value for old, if it took `Counting` to compute it."""


class Counting:
    """A computation that says how often it has begun, and waits until the test lets it end."""

    def __init__(self) -> None:
        self.runs = 0
        self.may_end = threading.Event()

    def __call__(self) -> bytes:
        self.runs += 1
        number = self.runs
        assert self.may_end.wait(PROMPT)
        time.sleep(0.2)
        return b"%d" % number

    async def aio(self) -> bytes:
        self.runs += 1
        number = self.runs
        while not self.may_end.is_set():
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.2)
        return b"%d" % number


def never() -> bytes:
    raise AssertionError("the value was there")


@pytest.fixture
def prefix(settings: dict[str, Any]) -> str:
    return f"{settings['prefix']}:cache"


@pytest.fixture
def make(connect: Connect, servers: list[Server], prefix: str) -> Callable[..., redfence.Cached]:
    """Each stands for a process of its own."""

    def made(**more: Any) -> redfence.Cached:
        store = redfence.RedisCache(servers[0].url, prefix)
        return redfence.Cached(connect(), store, **{"store_timeout": PROMPT, **more})

    return made


def test_many_threads_of_several_processes_compute_once(make: Callable[..., redfence.Cached]) -> None:
    processes, compute = [make() for _ in range(3)], Counting()
    with ThreadPoolExecutor(48) as pool:
        asks = [pool.submit(process.get_or_compute, "k", TTL, compute) for process in processes for _ in range(16)]
        eventually(lambda: compute.runs == 1)
        compute.may_end.set()
        assert {ask.result(PROMPT) for ask in asks} == {b"1"}
    assert compute.runs == 1
    assert processes[2].get_or_compute("k", TTL, never) == b"1"
    assert not processes[0].client.locks()


@pytest.mark.parametrize("error", [RuntimeError("down"), KeyboardInterrupt(), None])
def test_after_an_error_the_next_caller_computes(
    make: Callable[..., redfence.Cached], error: BaseException | None
) -> None:
    began, may_end = threading.Event(), threading.Event()

    def failing() -> bytes:
        began.set()
        assert may_end.wait(PROMPT)
        if error is not None:
            raise error
        return "no bytes"  # type: ignore[return-value]

    one, other, raised = make(), make(), []

    def first() -> None:
        try:
            one.get_or_compute("k", TTL, failing)
        except BaseException as caught:
            raised.append(caught)

    compute = Counting()
    compute.may_end.set()
    with ThreadPoolExecutor(3) as pool:
        ended = pool.submit(first)
        assert began.wait(PROMPT)
        asks = [pool.submit(process.get_or_compute, "k", TTL, compute) for process in (one, other)]
        may_end.set()
        ended.result(PROMPT)
        assert [ask.result(PROMPT) for ask in asks] == [b"1", b"1"]
    assert raised == [error] if error is not None else isinstance(raised[0], TypeError)


def test_an_early_refresh_blocks_no_reader(make: Callable[..., redfence.Cached]) -> None:
    compute, background = Counting(), list[Callable[[], None]]()
    compute.may_end.set()
    cached = make(early_refresh=EARLY, run_in_background=background.append)
    assert cached.get_or_compute("k", TTL, compute) == b"1"
    for _ in range(3):
        assert cached.get_or_compute("k", TTL, compute) == b"1"
    assert len(background) == 1 and compute.runs == 1, "one reader of a process refreshes"
    background[0]()
    assert make(early_refresh=0).get_or_compute("k", TTL, never) == b"2"

    by_thread = make(early_refresh=EARLY)
    assert by_thread.get_or_compute("k", TTL, compute) == b"2"
    reader = make(early_refresh=0)
    eventually(lambda: reader.get_or_compute("k", TTL, never) == b"3")


def test_a_stale_value_is_refused_and_its_caller_gets_the_newer_one(make: Callable[..., redfence.Cached]) -> None:
    one, other = make(), make()

    def paused() -> bytes:
        # Meanwhile an operator has taken the lock away, and another process has computed.
        assert one.client.reset("k")
        assert other.get_or_compute("k", TTL, lambda: b"newer") == b"newer"
        return b"stale"

    assert one.get_or_compute("k", TTL, paused) == b"newer"
    assert one.get_or_compute("k", TTL, never) == b"newer"


def test_an_invalidated_value_is_computed_anew(make: Callable[..., redfence.Cached]) -> None:
    one, other = make(), make()
    assert one.get_or_compute("k", TTL, lambda: b"old") == b"old"
    other.invalidate("k")
    assert one.get_or_compute("k", TTL, lambda: b"new") == b"new"

    def paused() -> bytes:
        assert one.client.reset("late")
        other.invalidate("late")
        return b"old"

    assert one.get_or_compute("late", TTL, paused) == b"old"
    assert one.get_or_compute("late", TTL, lambda: b"new") == b"new", "what was computed before is refused"


def test_errors_name_what_failed(make: Callable[..., redfence.Cached], client: redfence.Redfence) -> None:
    with pytest.raises(redfence.NameError):
        make().get_or_compute("", TTL, never)
    for ttl in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="ttl is"):
            make().get_or_compute("k", ttl, never)
    with pytest.raises(ValueError, match="if_unavailable"):
        make(if_unavailable="maybe")
    with pytest.raises(ValueError, match="URL of the store"):
        redfence.RedisCache("http://a")
    with pytest.raises(ValueError, match="too long"):
        make().get_or_compute("k", TTL, lambda: bytes(16 * 1024 * 1024 + 1))
    held = redfence.Lock(client, "k")
    held.acquire()
    with pytest.raises(redfence.Contended) as contended:
        make(wait_max=0.05).get_or_compute("k", TTL, never)
    assert len(contended.value.votes) == 3
    held.release()


def test_without_store_or_nodes_it_fails_or_computes(client: redfence.Redfence) -> None:
    silent = "redis://127.0.0.1:1"
    with pytest.raises(redfence.CacheError):
        redfence.Cached(client, silent).get_or_compute("k", TTL, never)
    assert redfence.Cached(client, silent, if_unavailable="compute").get_or_compute("k", TTL, lambda: b"1") == b"1"


def test_a_memory_cache_is_of_this_process() -> None:
    cached = redfence.Cached(redfence.embedded(3), redfence.MemoryCache(10))
    assert cached.get_or_compute("k", TTL, lambda: b"\0value") == b"\0value"
    assert cached.get_or_compute("k", TTL, never) == b"\0value"


def test_a_fork_computes_for_itself(make: Callable[..., redfence.Cached]) -> None:
    cached = make()
    assert cached.get_or_compute("k", TTL, lambda: b"parent") == b"parent"
    child = os.fork()
    if child == 0:
        status = 1
        try:
            assert cached.get_or_compute("k", TTL, never) == b"parent"
            assert cached.get_or_compute("new", TTL, lambda: b"child") == b"child"
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert cached.get_or_compute("new", TTL, never) == b"child"


@pytest.fixture
def aio_cached(connect: Connect, servers: list[Server], prefix: str) -> Callable[..., aio.Cached]:
    def made(**more: Any) -> aio.Cached:
        store = redfence.RedisCache(servers[0].url, prefix)
        return aio.Cached(connect(), store, **{"store_timeout": PROMPT, **more})

    return made


def test_many_tasks_compute_once(aio_cached: Callable[..., aio.Cached]) -> None:
    async def work() -> None:
        processes, compute = [aio_cached() for _ in range(3)], Counting()
        asks = [asyncio.create_task(p.get_or_compute("k", TTL, compute.aio)) for p in processes for _ in range(64)]
        while compute.runs == 0:
            await asyncio.sleep(0.005)
        compute.may_end.set()
        assert set(await asyncio.gather(*asks)) == {b"1"}
        assert compute.runs == 1
        await processes[0].invalidate("k")
        assert await processes[1].get_or_compute("k", TTL, compute.aio) == b"2"

    asyncio.run(asyncio.wait_for(work(), 3 * PROMPT))


def test_after_a_task_was_cancelled_or_took_too_long_the_next_computes(aio_cached: Callable[..., aio.Cached]) -> None:
    async def work() -> None:
        one, other, compute = aio_cached(), aio_cached(), Counting()
        first = asyncio.create_task(one.get_or_compute("k", TTL, compute.aio))
        while compute.runs == 0:
            await asyncio.sleep(0.005)
        asks = [asyncio.create_task(process.get_or_compute("k", TTL, compute.aio)) for process in (one, other)]
        await asyncio.sleep(0)
        first.cancel()
        compute.may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert await asyncio.gather(*asks) == [b"2", b"2"]
        compute.may_end.clear()
        with pytest.raises(asyncio.TimeoutError):
            await aio_cached(compute_max=0.05).get_or_compute("slow", TTL, compute.aio)
        compute.may_end.set()
        assert await other.get_or_compute("slow", TTL, compute.aio) == b"4"

    asyncio.run(asyncio.wait_for(work(), 3 * PROMPT))


def test_an_early_refresh_blocks_no_task(aio_cached: Callable[..., aio.Cached]) -> None:
    async def work() -> None:
        compute = Counting()
        compute.may_end.set()
        cached, reader = aio_cached(early_refresh=EARLY), aio_cached(early_refresh=0)
        assert await cached.get_or_compute("k", TTL, compute.aio) == b"1"
        compute.may_end.clear()
        assert await asyncio.gather(*(cached.get_or_compute("k", TTL, compute.aio) for _ in range(8))) == [b"1"] * 8
        compute.may_end.set()
        while await reader.get_or_compute("k", TTL, compute.aio) != b"2":
            await asyncio.sleep(0.005)

    asyncio.run(asyncio.wait_for(work(), 3 * PROMPT))


def test_the_lines_of_the_page_run(client: redfence.Redfence, servers: list[Server]) -> None:
    page = (Path(__file__).parents[1] / "README.md").read_text()
    found = re.search(r"## Cached values\n\n```python\n(.*?)```", page, re.DOTALL)
    assert found and '"redis://cache:6379"' in found[1]
    lines = found[1].replace('"redis://cache:6379"', repr(servers[0].url))
    names = {"redfence": redfence, "client": client, "make_report": lambda number: b"report %d" % number}
    exec(compile(lines, "README.md", "exec"), names)
    assert names["report"] == b"report 7"
