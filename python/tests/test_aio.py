"""The lock for event loops."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

import redfence
from conftest import Connect
from redfence import aio
from servers import PROMPT, Server, eventually, waiting


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 3 * PROMPT))


def test_one_task_at_a_time_and_tokens_rise(urls: list[str], settings: dict[str, Any]) -> None:
    async def work() -> None:
        client = await aio.connect(urls, **settings)
        lock, tokens, inside = aio.Lock(client, "r"), [], 0

        async def section() -> None:
            nonlocal inside
            async with lock as lease:
                inside += 1
                await asyncio.sleep(0)
                assert inside == 1
                inside -= 1
                tokens.append(lease.token)

        await asyncio.gather(*(section() for _ in range(50)))
        assert len(tokens) == 50 and tokens == sorted(set(tokens))
        assert not await lock.locked()

    run(work())


def test_acquire_extend_release(connect: Connect) -> None:
    async def work() -> None:
        lock, other = aio.Lock(connect(), "r", label="me"), aio.Lock(connect(), "r", wait_max=0.05)
        assert await lock.acquire()
        await lock.extend()
        lock.check()
        owner = await other.owner()
        assert owner is not None and owner.label == "me"
        assert not await other.acquire(False) and not await other.acquire(timeout=0.05)
        with pytest.raises(redfence.Contended):
            await other.acquire()
        assert await lock.release() == "released"
        with pytest.raises(redfence.NotAcquired):
            await lock.release()
        assert await other.acquire() and await lock.reset()

    run(work())


def test_a_task_that_is_cancelled_while_it_waits_leaves_nothing(
    connect: Connect, servers: list[Server], settings: dict[str, Any]
) -> None:
    async def work() -> None:
        held, lock, third = (aio.Lock(connect(), "r") for _ in range(3))
        await held.acquire()
        waits = asyncio.create_task(lock.acquire(timeout=10 * PROMPT))
        while waiting(servers, settings["prefix"], "r") != {":1"}:
            await asyncio.sleep(0.01)
        waits.cancel()
        while waiting(servers, settings["prefix"], "r") != {":0"}:
            await asyncio.sleep(0.01)
        with pytest.raises(asyncio.CancelledError):
            await waits
        await held.release()
        # The lock is not kept for the one that went away.
        assert await third.acquire(timeout=PROMPT)
        await third.release()

    run(work())


def test_a_cancellation_at_any_moment_leaves_nothing_behind(connect: Connect) -> None:
    async def work() -> None:
        # A TTL that no test waits for.
        client, lock = connect(), aio.Lock(connect(ttl=30), "r")
        for steps in range(40):
            task = asyncio.create_task(lock.acquire(timeout=PROMPT))
            for _ in range(steps):
                await asyncio.sleep(0.0002)
            if not task.cancel():
                assert task.result()
                await lock.release()
                continue
            with pytest.raises(asyncio.CancelledError):
                await task
        other = aio.Lock(client, "r")
        assert await other.acquire(timeout=PROMPT), "a cancelled acquire is still held"
        await other.release()

    run(work())


def test_a_block_that_is_cancelled_releases(connect: Connect) -> None:
    async def work() -> None:
        lock, other, entered = aio.Lock(connect(ttl=30), "r"), aio.Lock(connect(), "r"), asyncio.Event()

        async def section() -> None:
            async with lock:
                entered.set()
                await asyncio.sleep(100)

        task = asyncio.create_task(section())
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await other.acquire(timeout=PROMPT)
        await other.release()

    run(work())


def test_a_loop_that_was_closed_is_not_called(connect: Connect) -> None:
    held = redfence.Lock(connect(), "r")
    held.acquire()
    lock = aio.Lock(connect(), "r", on_lost=lambda lease, cause: None)
    other = aio.Lock(connect(), "other", ttl=0.3, renewed=False, on_lost=lambda lease, cause: None)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(other.acquire())
    waits = loop.create_task(lock.acquire(timeout=PROMPT))
    loop.run_until_complete(asyncio.sleep(0.1))
    # As a program does that closes without cancelling its tasks.
    waits._log_destroy_pending = False  # type: ignore[attr-defined]
    loop.close()
    held.release()
    assert other.lost.wait(PROMPT)
    del waits, lock
    third = redfence.Lock(connect(), "r")
    assert third.acquire(timeout=PROMPT)
    third.release()


def test_a_coroutine_that_is_closed_waits_no_longer(
    connect: Connect, servers: list[Server], settings: dict[str, Any]
) -> None:
    async def work() -> None:
        with redfence.Lock(connect(), "r"):
            waits = aio.Lock(connect(), "r").acquire(timeout=10 * PROMPT)
            waits.send(None)
            while waiting(servers, settings["prefix"], "r") != {":1"}:
                await asyncio.sleep(0.01)
            waits.close()
            while waiting(servers, settings["prefix"], "r") != {":0"}:
                await asyncio.sleep(0.01)

    run(work())


def test_a_loss_is_told_to_the_loop(connect: Connect) -> None:
    async def work() -> None:
        losses: list[str] = []
        lock = aio.Lock(connect(), "r", ttl=0.3, renewed=False, on_lost=lambda lease, cause: losses.append(cause))
        await lock.acquire()
        assert await lock.wait_lost() == "expired"
        while not losses:
            await asyncio.sleep(0.01)
        assert losses == ["expired"]
        other = aio.Lock(connect(), "r")
        async with other:
            waits = asyncio.create_task(other.wait_lost())
            await asyncio.sleep(0)
        assert await waits is None

    run(work())


def test_synchronized_coroutines() -> None:
    client = redfence.embedded(3)

    @redfence.synchronized(client, "job:{number}")
    async def job(number: int) -> bool:
        return await aio.Lock(client, f"job:{number}").locked()

    assert asyncio.run(job(3))


def test_one_client_serves_threads_and_loops(client: redfence.Redfence) -> None:
    lock = redfence.Lock(client, "r")
    with lock:
        assert not asyncio.run(aio.Lock(client, "r").acquire(False))
    for _ in range(3):
        asyncio.run(aio.Lock(client, "r").acquire())
        # The lock object is gone, and its lease with it.
        eventually(lambda: not lock.locked())
