"""What is built on the lock, for event loops."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import redfence
from conftest import Connect
from redfence import aio
from servers import PROMPT
from test_aio import run

WAITS: dict[str, tuple[str, Callable[[redfence.Redfence], Awaitable[Any]]]] = {
    "semaphore": ("r#1", lambda client: aio.Semaphore(client, "r", 1).acquire(timeout=10 * PROMPT)),
    "election": ("r", lambda client: aio.Election(client, "r").campaign(timeout=10 * PROMPT)),
    "several": ("r", lambda client: aio.acquire_all(client, ["q", "r"], timeout=10 * PROMPT)),
    "once per period": ("r", lambda client: aio.OncePer(client, "r", 25.0).acquire(timeout=10 * PROMPT)),
}


async def is_free(client: redfence.Redfence, *names: str) -> None:
    for name in names:
        lock = aio.Lock(client, name)
        assert await lock.acquire(timeout=PROMPT), f"{name} is left"
        await lock.release()


@pytest.mark.parametrize("kind", WAITS)
def test_a_cancelled_wait_leaves_nothing(connect: Connect, kind: str) -> None:
    name, acquire = WAITS[kind]

    async def work() -> None:
        held, client = aio.Lock(connect(), name), connect()
        for steps in range(6):
            await held.acquire()
            waits = asyncio.ensure_future(acquire(client))
            await asyncio.sleep(0.005 * steps**2)
            assert waits.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waits
            await held.release()
            await is_free(connect(), name, "q", "r", "r#queue")

    run(work())


@pytest.mark.parametrize("kind", WAITS)
def test_a_block_that_is_cancelled_releases(connect: Connect, kind: str) -> None:
    name, acquire = WAITS[kind]

    async def work() -> None:
        entered, client = asyncio.Event(), connect()

        async def section() -> None:
            async with await acquire(client) as held:
                held.check()
                entered.set()
                await asyncio.sleep(10 * PROMPT)

        task = asyncio.create_task(section())
        await entered.wait()
        assert await aio.Lock(connect(), name).locked()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await is_free(connect(), name, "q", "r")

    run(work())


def test_tasks_share_the_permits(connect: Connect) -> None:
    async def work() -> None:
        semaphore, inside, most = aio.Semaphore(connect(), "s", 2), 0, 0

        async def section() -> None:
            nonlocal inside, most
            async with semaphore as lease:
                inside += 1
                most = max(most, inside)
                await lease.extend()
                inside -= 1

        await asyncio.gather(*(section() for _ in range(8)))
        assert inside == 0 and 1 <= most <= 2
        async with semaphore, semaphore:
            assert await semaphore.acquire(False) is None and await semaphore.acquire(timeout=0) is None
            with pytest.raises(redfence.AllHeld):
                await aio.Semaphore(semaphore.client, "s", 2, wait_max=0).acquire()
        permit = await semaphore.acquire()
        assert permit is not None and await permit.release() in ("released", "handed over")

    run(work())


def test_several_at_once(connect: Connect) -> None:
    async def work() -> None:
        async with await aio.acquire_all(connect(), ["b", "a"]) as leases:
            await leases.extend()
            with pytest.raises(redfence.Contended) as held:
                await aio.acquire_all(connect(), ["a", "c"], timeout=0)
            assert held.value.resource == "a"
            waits = asyncio.create_task(leases.wait_lost())
            await asyncio.sleep(0)
        assert await waits is None
        leases = await aio.acquire_all(connect(), ["b", "a"], ttl=0.3, renewed=False)
        assert await leases.wait_lost() == "expired"
        with pytest.raises(redfence.Overrun):
            await leases.release()

    run(work())


def test_leaders_follow_each_other(connect: Connect) -> None:
    async def work() -> None:
        losses: list[str] = []
        one, two = (aio.Election(connect(), "e", label=label) for label in ("one", "two"))
        leaders = two.observe(0.01)
        async with await one.campaign() as leads:
            assert await two.leader() == (leads.term, "one") == await anext(leaders)
            waits = asyncio.create_task(two.campaign(timeout=PROMPT))
            await asyncio.sleep(0.01)
            assert not waits.done()
        second = await waits
        assert second.term > leads.term and await anext(leaders) == (second.term, "two")
        await second.resign()
        three = aio.Election(connect(), "e", ttl=0.5, max_hold=0.8, on_lost=lambda leads, cause: losses.append(cause))
        third = await three.campaign(timeout=PROMPT)
        assert await third.wait_lost() == "max_hold"
        while not losses:
            await asyncio.sleep(0.01)
        assert losses == ["max_hold"]
        # The observer's wait is undone.
        observes = asyncio.ensure_future(anext(aio.Election(connect(), "nobody").observe(0.01)))
        await asyncio.sleep(0.05)
        observes.cancel()
        with pytest.raises(asyncio.CancelledError):
            await observes

    run(work())


def test_work_once_per_period(connect: Connect) -> None:
    async def work() -> None:
        calls: list[int] = []

        @redfence.once_per(connect(), 25.0, "report:{day}", wait_max=0)
        async def report(day: int) -> int:
            calls.append(day)
            if len(calls) == 1:
                raise ZeroDivisionError
            return day

        with pytest.raises(ZeroDivisionError):
            await report(7)
        assert await report(7) == 7
        assert await report(7) is redfence.SKIPPED and calls == [7, 7]
        run = await aio.OncePer(connect(), "report:8", 25.0).acquire()
        assert run is not None and 0 < await run.finish() <= 25
        assert await aio.OncePer(connect(), "report:8", 25.0).acquire(False) is None

    run(work())
