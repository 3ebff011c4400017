"""The lock for threads."""

import asyncio
import contextlib
import gc
import math
import pickle
import threading
from typing import Any

import pytest

import redfence
import redfence.aio
from conftest import Connect
from servers import PROMPT, Server, eventually


def test_one_holder_at_a_time_and_tokens_rise(connect: Connect) -> None:
    ours, theirs = redfence.Lock(connect(), "r"), redfence.Lock(connect(), "r")
    assert ours.acquire()
    assert not theirs.acquire(blocking=False)
    assert theirs.locked() and not theirs.owned()
    first = ours.token
    assert ours.release() == "released"
    assert not ours.locked()
    assert theirs.acquire(timeout=PROMPT)
    assert theirs.token > first
    theirs.release()


def test_the_block_gives_its_lease_and_releases_when_it_raises(client: redfence.Redfence) -> None:
    lock = redfence.Lock(client, "r", label="worker 7")
    with pytest.raises(ZeroDivisionError), lock as lease:
        assert lease.token == lock.token and lease.name == "r"
        assert lease.holder == lock.owner() and lease.holder.label == "worker 7"
        assert 0 < lease.valid_for < 5
        lease.check()
        1 / 0
    assert not lock.locked() and not lock.owned()
    with pytest.raises(redfence.LostError) as lost:
        lease.check()
    assert lost.value.cause == "released" and not lease.lost.is_set()


def test_timeouts_are_those_of_threading(connect: Connect) -> None:
    client, held = connect(), redfence.Lock(connect(), "r")
    lock = redfence.Lock(client, "r", wait_max=0.5)
    with held:
        assert not lock.acquire(False)
        assert not lock.acquire(timeout=0) and not lock.acquire(True, 0.5)
        # Nobody reads the answer of a call without a timeout, so it raises.
        with pytest.raises(redfence.Contended) as contended:
            lock.acquire()
        with pytest.raises(redfence.Contended), lock:
            raise AssertionError("two hold it")
        for wrong in [(False, 1.0), (True, -2.0), (True, math.nan)]:
            with pytest.raises(ValueError):
                lock.acquire(*wrong)
    assert [vote.kind for vote in contended.value.votes].count("refused") >= 2
    refused = next(vote for vote in contended.value.votes if vote.kind == "refused")
    assert refused.holder and refused.ttl_left and refused.address.startswith("127.0.0.1:")
    assert contended.value.attempts >= 1 and contended.value.waited >= 0.5
    assert lock.acquire(timeout=math.inf)
    lock.release()


def test_a_release_without_an_acquire_is_an_error(client: redfence.Redfence) -> None:
    lock = redfence.Lock(client, "r")
    with pytest.raises(redfence.NotAcquired):
        lock.release()
    with pytest.raises(RuntimeError, match="'r' is not acquired by this object"):
        lock.check()
    with lock:
        lock.release()
    with pytest.raises(redfence.NotAcquired):
        lock.token


def test_any_thread_may_release(client: redfence.Redfence) -> None:
    lock = redfence.Lock(client, "r")
    lock.acquire()
    outcome: list[str] = []
    thread = threading.Thread(target=lambda: outcome.append(lock.release()))
    thread.start()
    thread.join()
    assert outcome == ["released"]


def test_a_block_may_be_left_by_another_thread(client: redfence.Redfence) -> None:
    lock = redfence.Lock(client, "r")
    with contextlib.ExitStack() as stack:
        thread = threading.Thread(target=stack.enter_context, args=(lock,))
        thread.start()
        thread.join()
        assert lock.locked()
    assert not lock.locked() and lock.lease is None


def test_threads_that_share_one_lock_exclude_each_other(client: redfence.Redfence) -> None:
    lock, inside, tokens = redfence.Lock(client, "r"), 0, []

    def work() -> None:
        nonlocal inside
        for _ in range(25):
            with lock as lease:
                inside += 1
                assert inside == 1
                tokens.append(lease.token)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tokens) == 200 and tokens == sorted(set(tokens))


def test_a_lease_is_renewed_until_max_hold(connect: Connect) -> None:
    losses: list[tuple[int, str]] = []
    lock = redfence.Lock(
        connect(), "r", ttl=0.5, max_hold=1.2, on_lost=lambda lease, cause: losses.append((lease.token, cause))
    )
    assert lock.acquire()
    token = lock.token
    assert not lock.lost.wait(0.8), "it was not renewed"
    assert lock.lost.wait(PROMPT) and lock.lost.is_set() and lock.lost.cause == "max_hold"
    assert eventually(lambda: losses) == [(token, "max_hold")]
    with pytest.raises(redfence.LostError, match="lost"):
        lock.check()
    with pytest.raises(redfence.Overrun) as overrun:
        eventually(lambda: not lock.locked())
        lock.release()
    assert overrun.value.outcome == "expired"


def test_without_renewal_a_lease_ends_and_another_gets_it(connect: Connect) -> None:
    lock, other = redfence.Lock(connect(), "r", ttl=0.3, renewed=False), redfence.Lock(connect(), "r")
    lock.acquire()
    lock.extend()
    assert other.acquire(timeout=PROMPT)
    assert lock.lost.is_set() and lock.valid_for == 0
    with pytest.raises(redfence.LostError):
        lock.extend()
    with pytest.raises(redfence.Overrun) as overrun:
        lock.release()
    assert overrun.value.outcome == "taken"
    assert other.release() == "released"


def test_a_block_that_overran_its_lease_says_so_unless_it_raises(connect: Connect) -> None:
    lock = redfence.Lock(connect(), "r", ttl=0.1, renewed=False)
    with pytest.raises(redfence.Overrun), lock as lease:
        assert lease.lost.wait(PROMPT)
        eventually(lambda: not lock.locked())
    with pytest.raises(KeyError), lock as lease:
        assert lease.lost.wait(PROMPT)
        raise KeyError


def test_a_lease_that_is_dropped_is_released(connect: Connect) -> None:
    lock, other = redfence.Lock(connect(), "r", on_lost=lambda *_: None), redfence.Lock(connect(), "r")
    lock.acquire()
    del lock
    gc.collect()
    assert other.acquire(timeout=PROMPT)
    other.release()


def test_a_lease_that_was_left_belongs_to_the_one_that_knows_its_holder(connect: Connect) -> None:
    ours, theirs = connect(), connect()
    lock, rival = redfence.Lock(ours, "r", ttl=2), redfence.Lock(ours, "r")
    lock.acquire()
    lease = lock.lease
    assert lease is not None
    holder = lease.leave()
    with pytest.raises(redfence.LostError):
        lock.check()
    with pytest.raises(redfence.NotAcquired):
        lease.leave()
    assert 2 < theirs.extend_as("r", holder, ttl=4) < 4
    assert not rival.acquire(False)
    assert theirs.release_as("r", holder) == "released"
    with pytest.raises(redfence.LostError):
        theirs.extend_as("r", holder)
    with pytest.raises(redfence.Overrun):
        theirs.release_as("r", holder)


def test_reset_takes_a_lock_away(connect: Connect) -> None:
    held, lock = redfence.Lock(connect(), "r"), redfence.Lock(connect(), "r")
    assert not lock.reset()
    held.acquire()
    token = held.token
    assert lock.reset("the test wants it")
    assert lock.acquire(timeout=PROMPT)
    assert lock.token > token
    with pytest.raises(redfence.Overrun):
        held.release()
    lock.release()


def test_reset_all_takes_those_away_that_begin_so(client: redfence.Redfence) -> None:
    locks = [redfence.Lock(client, name) for name in ("a:1", "a:2", "b:1")]
    for lock in locks:
        lock.acquire()
    assert [lock.name for lock in client.locks()] == ["a:1", "a:2", "b:1"]
    assert client.locks("b")[0].holder == locks[2].holder
    assert client.reset_all("a:") == 2
    assert [lock.locked() for lock in locks] == [False, False, True]
    locks[2].release()


def test_wrong_settings_are_refused_where_they_are_written(connect: Connect, client: redfence.Redfence) -> None:
    for wrong in [{"ttl": 0.0}, {"ttl": 60.0}, {"max_hold": 0.01}, {"label": "\n"}]:
        with pytest.raises(redfence.ConfigError):
            redfence.Lock(client, "r", **wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="ttl is -1"):
        redfence.Lock(client, "r", ttl=-1)
    with pytest.raises(redfence.ConfigError):
        redfence.Redfence("redis://127.0.0.1:1", ttl=60)
    with pytest.raises(TypeError, match='no setting "tll"'):
        redfence.Redfence("redis://127.0.0.1:1", tll=5)  # type: ignore[call-arg]
    with pytest.raises(redfence.NameError):
        redfence.Lock(client, "").acquire()
    with pytest.raises(redfence.ConfigError, match="node 1"):
        redfence.connect("http://127.0.0.1")


def test_exceptions_go_from_process_to_process(client: redfence.Redfence) -> None:
    vote = redfence.Vote("a:1", "silent", "timed out")
    errors = [
        redfence.AllHeld("m", permits=3, votes=[vote], attempts=2, waited=0.5),
        redfence.ConnectError("m", unreachable=[("a:1", "refused")]),
        redfence.NotStored("m", votes=[vote], resource="r"),
        redfence.LostError("m", cause="taken", resource="r"),
        redfence.Overrun("m", outcome="taken"),
        redfence.StaleToken("r", 1, 2),
        redfence.Refused("m", status=428, problem="{}"),
        redfence.ConfigError("m"),
    ]
    with redfence.Lock(client, "r"), pytest.raises(redfence.Contended) as held:
        redfence.Lock(client, "r", wait_max=0).acquire()
    assert held.value.votes
    for error in [*errors, held.value]:
        back = pickle.loads(pickle.dumps(error))
        assert type(back) is type(error) and (back.args, vars(back)) == (error.args, vars(error))


def test_a_client_that_reaches_no_quorum_says_why() -> None:
    with pytest.raises(redfence.ConnectError) as refused:
        redfence.connect(["redis://127.0.0.1:1"])
    assert refused.value.unreachable[0][0] == "127.0.0.1:1"
    assert isinstance(refused.value, ConnectionError)
    lock = redfence.Lock("redis://127.0.0.1:1", "r")
    with pytest.raises(redfence.ConnectError):
        lock.acquire()


def test_no_quorum_is_not_contention(settings: dict[str, Any]) -> None:
    from servers import servers

    with servers(3) as own:
        client = redfence.connect([server.url for server in own], **{**settings, "node_timeout": 0.2})
        lock = redfence.Lock(client, "r")
        for server in own[:2]:
            server.pause()
        with pytest.raises(redfence.NoQuorum) as refused:
            lock.acquire(blocking=False)
        assert len(refused.value.votes) == 3
        with pytest.raises(redfence.NoQuorum, match="no majority") as unknown:
            lock.locked()
        assert [vote.kind for vote in unknown.value.votes] == ["failed", "failed", "free"]
        own[1].go_on()
        eventually(lambda: lock.acquire(False))
        own[1].pause()
        with pytest.raises(redfence.ExtendError) as not_extended:
            lock.extend()
        assert len(not_extended.value.votes) == 3
        with pytest.raises(redfence.OperateError, match="too few nodes") as not_reset:
            redfence._client.was_reset("r", client.core.force_release("r", str(lock.holder), "test").run())
        assert [vote.kind for vote in not_reset.value.votes] == ["failed", "failed", "released"]


def test_embedded_nodes_need_no_server() -> None:
    nodes = redfence.EmbeddedNodes(3)
    lock, other = (redfence.Lock(redfence.Redfence(nodes), "r") for _ in range(2))
    with lock:
        assert not other.acquire(False)
    with redfence.Lock(redfence.embedded(5), "r") as lease:
        assert lease.token > 0
    with pytest.raises(redfence.ConfigError):
        redfence.Lock(redfence.embedded(0), "r").acquire()


def test_synchronized_names_the_lock_by_its_arguments() -> None:
    client = redfence.embedded(3)

    @redfence.synchronized(client, "invoice:{number}")
    def pay(number: int, *, twice: bool = False) -> str:
        assert redfence.Lock(client, f"invoice:{number}").locked()
        return f"paid {number}"

    @redfence.synchronized(client)
    def alone() -> int:
        return len(client.locks(f"{__name__}.test_synchronized"))

    assert pay(7) == "paid 7" and pay.__name__ == "pay"
    assert alone() == 1
    assert client.locks() == []


def test_no_lock_says_what_it_is() -> None:
    with pytest.warns(redfence.NoLockWarning, match="keeps no other holder out"):
        lock = redfence.NoLock(name="r")
    with lock:
        assert lock.acquire() and lock.locked() and "does nothing" in repr(lock)
        lock.check()
        lock.release()
        with pytest.raises(redfence.NoToken):
            lock.token
    with pytest.raises(redfence.NotAcquired):
        lock.release()


@pytest.mark.parametrize("kind", [redfence, redfence.aio])
def test_no_lock_has_what_a_lock_has(kind: Any) -> None:
    def public(made: object) -> set[str]:
        return {name for name in dir(made) if not name.startswith("_")}

    with pytest.warns(redfence.NoLockWarning):
        none = kind.NoLock(name="r")
    lock = kind.Lock(redfence.embedded(1), "r")
    # It has no client, and so no wait.
    assert public(lock) - public(none) == {"client", "wait_max"}
    assert public(none) <= public(lock)
    with pytest.raises(redfence.NotAcquired):
        none.check()
    assert none.lease is None and none.valid_for == 0 and not none.owned()


def test_no_lock_for_event_loops() -> None:
    async def work() -> None:
        with pytest.warns(redfence.NoLockWarning):
            lock = redfence.aio.NoLock(name="r")
        async with lock as lease:
            await lease.extend()
            assert lease.owned() and await lock.locked() and not lease.lost.is_set() and lease.valid_for == math.inf
            with pytest.raises(redfence.NoToken):
                lease.token
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(lock.wait_lost(), 0.01)
        with pytest.raises(redfence.NotAcquired):
            await lock.release()

    asyncio.run(work())


def test_nodes_are_shown(client: redfence.Redfence, servers: list[Server]) -> None:
    nodes = client.nodes()
    assert [node.address for node in nodes] == [f"127.0.0.1:{server.port}" for server in servers]
    assert all(node.fault is None and node.round_trip and node.rests_for is None for node in nodes)
    assert repr(client) == "<redfence.Redfence 3 nodes>"
