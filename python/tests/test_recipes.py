"""What is built on the lock: semaphores, several resources at once, elections, work once per period. For threads."""

import inspect
import math
import threading
import time
import typing
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

import redfence
from conftest import Connect
from servers import PROMPT, Server, eventually, waiting
from servers import servers as started


def semaphore(connect: Connect, permits: int = 2, **more: Any) -> redfence.Semaphore:
    return redfence.Semaphore(connect(), "reports", permits, **more)


def test_so_many_hold_a_permit_and_no_more(connect: Connect) -> None:
    ours, theirs = semaphore(connect), semaphore(connect, wait_max=0)
    with ours as one, ours as other:
        assert {one.name, other.name} == {"reports#1", "reports#2"}
        assert theirs.acquire(False) is None and theirs.acquire(timeout=0) is None
        with pytest.raises(redfence.AllHeld, match="none of 2 permits") as held:
            theirs.acquire()
        assert held.value.permits == 2 and len(held.value.votes) == 3
        with pytest.raises(redfence.Contended), theirs:
            raise AssertionError("three hold a permit")
    permit = theirs.acquire()
    assert permit is not None and permit.token > one.token and permit.name == one.name
    with permit:
        permit.check()
    assert theirs.client.locks() == []


def test_a_block_ends_its_own_permit(connect: Connect) -> None:
    shared, inside, most = semaphore(connect, 3), 0, 0
    count = threading.Lock()

    def work() -> None:
        nonlocal inside, most
        for _ in range(5):
            with shared as lease:
                with count:
                    inside += 1
                    most = max(most, inside)
                lease.check()
                with count:
                    inside -= 1

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert inside == 0 and 1 <= most <= 3
    with ExitStack() as stack:
        entered = threading.Thread(target=stack.enter_context, args=(shared,))
        entered.start()
        entered.join()
        assert len(shared.client.locks()) == 1
    assert shared.client.locks() == []


def test_a_permit_that_is_lost_is_told(connect: Connect) -> None:
    losses: list[tuple[str, str]] = []
    ours = semaphore(connect, ttl=0.3, renewed=False, on_lost=lambda lease, cause: losses.append((lease.name, cause)))
    with pytest.raises(redfence.Overrun), ours as lease:
        assert lease.lost.wait(PROMPT)
        eventually(lambda: losses)
    assert losses == [("reports#1", "expired")]


def test_semaphores_that_cannot_be_are_refused(client: redfence.Redfence) -> None:
    for permits in (0, 129):
        with pytest.raises(redfence.ConfigError, match="1 to 128"):
            redfence.Semaphore(client, "s", permits)
    with pytest.raises(redfence.NameError):
        redfence.Semaphore(client, "", 2)
    with pytest.raises(redfence.ConfigError):
        redfence.Semaphore(client, "s", 2, ttl=60)
    with pytest.raises(TypeError):
        redfence.Semaphore(client, "s", 2, tll=6)  # type: ignore[call-arg]


def test_all_of_several_or_none(connect: Connect) -> None:
    client, other = connect(), connect()
    with redfence.acquire_all(client, ["b", "a"], label="me") as leases:
        assert leases.names == ["a", "b"] and set(leases.tokens) == {"a", "b"} and 0 < leases.valid_for < 5
        leases.check()
        leases.extend()
        with pytest.raises(redfence.Contended) as held:
            redfence.acquire_all(other, ["0", "b", "c"], timeout=0)
        assert held.value.resource == "b" and len(held.value.votes) == 3 and held.value.waited > 0
        assert [lock.name for lock in client.locks()] == ["a", "b"], "what it had was released"
        assert all(lock.holder.label == "me" for lock in client.locks())
    assert client.locks() == []
    with pytest.raises(redfence.LostError):
        leases.check()
    assert not leases.lost.is_set()
    with pytest.raises(redfence.NotAcquired):
        leases.release()


def test_the_loss_of_one_is_the_loss_of_all(connect: Connect) -> None:
    causes: list[str] = []
    client = connect()
    leases = redfence.acquire_all(client, ["a", "b"], ttl=3)
    leases.on_lost(causes.append)
    assert connect().reset("b")
    assert leases.lost.wait(PROMPT) and leases.valid_for == 0.0
    with pytest.raises(redfence.LostError, match="the lease of b is lost") as lost:
        leases.check()
    assert (lost.value.resource, lost.value.cause) == ("b", "taken")
    assert eventually(lambda: causes) == ["taken"]
    with pytest.raises(redfence.Overrun):
        leases.release()
    assert client.locks() == []


def test_names_that_cannot_be_acquired_together_are_refused(client: redfence.Redfence) -> None:
    for names, part in [([], "no resource"), (["a", "a"], "twice"), (["a", ""], "resource 2"), (["x"] * 129, "at most 128")]:
        with pytest.raises(redfence.NameError, match=part):
            redfence.acquire_all(client, names)
    with pytest.raises(TypeError, match="a list of names"):
        redfence.acquire_all(client, "ab")


def test_leases_that_are_dropped_are_released(connect: Connect) -> None:
    other = redfence.Lock(connect(), "b")
    leases = redfence.acquire_all(connect(), ["a", "b"])
    assert not other.acquire(False)
    del leases
    assert other.acquire(timeout=PROMPT)
    other.release()


def test_one_leads_and_the_next_leads_after_it_resigned(connect: Connect) -> None:
    first, second = (redfence.Election(connect(), "scheduler", label=label) for label in ("one", "two"))
    assert first.leader() is None
    with first.campaign() as leads:
        leads.check()
        assert second.leader() == redfence.Leader(leads.term, "one")
        assert leads.name == "scheduler" and leads.token == leads.term == leads.tokens["scheduler"]
        with pytest.raises(redfence.Contended) as held:
            second.campaign(timeout=0)
        assert held.value.resource == "scheduler" and len(held.value.votes) == 3
        terms: list[int] = []
        waits = threading.Thread(target=lambda: terms.append(second.campaign(timeout=math.inf).term))
        waits.start()
    waits.join()
    assert terms[0] > leads.term
    with pytest.raises(redfence.LostError):
        leads.check()
    with pytest.raises(redfence.NotAcquired):
        leads.resign()
    with pytest.raises(redfence.NameError):
        redfence.Election(connect(), "x" * 510).campaign()


def test_leaders_are_observed_once_each(connect: Connect) -> None:
    election, leaders = redfence.Election(connect(), "e", label="me"), redfence.Election(connect(), "e").observe(0.01)
    terms = []
    for _ in range(3):
        with election.campaign() as leads:
            assert next(leaders) == (leads.term, "me")
            terms.append(leads.term)
    assert terms == sorted(set(terms))


def test_a_leadership_that_is_lost_is_told(connect: Connect) -> None:
    losses: list[tuple[int, str]] = []
    election = redfence.Election(
        connect(), "e", ttl=0.5, max_hold=1.0, on_lost=lambda leads, cause: losses.append((leads.term, cause))
    )
    leads = election.campaign()
    assert leads.lost.wait(PROMPT) and leads.lost.cause == "max_hold"
    assert eventually(lambda: losses) == [(leads.term, "max_hold")]
    with pytest.raises(redfence.LostError):
        leads.check()


def once(connect: Connect, per: float | None = 25.0, **more: Any) -> redfence.OncePer:
    return redfence.OncePer(connect(), "report", per, **more)


def test_work_that_succeeded_is_not_done_again_within_its_period(connect: Connect) -> None:
    began = time.monotonic()
    run = once(connect, 3.0).acquire()
    assert run is not None
    with run:
        run.check()
        assert run.name == "report" and run.token > 0
    # The end of the period is waited for.
    again = once(connect, 3.0).acquire(timeout=PROMPT)
    assert again is not None and again.token > run.token and time.monotonic() - began > 2.5
    assert again.finish(False) == 0.0
    with pytest.raises(redfence.NotAcquired):
        again.finish()


def test_a_period_that_outlasts_the_wait_is_not_waited_for(connect: Connect) -> None:
    run = once(connect).acquire()
    assert run is not None and 0 < run.finish() <= 25
    [lock] = connect().locks()
    assert lock.name == "report" and 5 < (lock.ttl_left or 0) <= 25
    began = time.monotonic()
    # A wait of less than the rest of the period.
    assert once(connect).acquire(timeout=10) is None
    assert time.monotonic() - began < 9


def test_work_that_failed_uses_up_no_period(connect: Connect) -> None:
    run = once(connect).acquire()
    assert run is not None
    with pytest.raises(ZeroDivisionError), run:
        1 / 0
    run = once(connect).acquire(False)
    assert run is not None
    del run
    client = connect()
    eventually(lambda: not client.locks())
    run = once(connect, None, hold_at_least=20.0).acquire()
    assert run is not None and 0 < run.finish(False) <= 20
    assert once(connect).acquire(False) is None


def test_a_period_that_no_quorum_stores_raises_with_the_votes(settings: dict[str, Any]) -> None:
    with started(3) as own:
        client = redfence.connect([server.url for server in own], **{**settings, "ttl": 3.0, "node_timeout": 0.2})
        run = redfence.OncePer(client, "report", 25.0).acquire()
        assert run is not None
        for server in own[:2]:
            server.pause()
        with pytest.raises(redfence.NotStored, match="may be done again") as refused:
            run.finish()
        assert len(refused.value.votes) == 3 and isinstance(refused.value, redfence.ExtendError)


def test_work_that_outlived_its_lease_is_an_overrun(connect: Connect) -> None:
    losses: list[str] = []
    run = once(connect, ttl=0.5, renewed=False, on_lost=lambda run, cause: losses.append(cause)).acquire()
    assert run is not None
    with pytest.raises(redfence.Overrun, match="the end of the work") as overrun, run:
        assert run.lost.wait(PROMPT)
    assert overrun.value.outcome == "expired" and eventually(lambda: losses) == ["expired"]


def test_periods_that_no_lock_lasts_for_are_refused(client: redfence.Redfence) -> None:
    for per, more, part in [(31.0, {}, "max_ttl"), (None, {"hold_at_least": 31.0}, "max_ttl"), (0.0, {}, "above zero")]:
        with pytest.raises(redfence.ConfigError, match=part):
            redfence.OncePer(client, "r", per, **more)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="per is -1"):
        redfence.OncePer(client, "r", -1.0)
    with pytest.raises(redfence.NameError):
        redfence.OncePer(client, "", 1.0)


def test_a_function_is_called_once_per_period(connect: Connect) -> None:
    calls: list[int] = []

    def reports(client: redfence.Redfence) -> Callable[[int], Any]:
        @redfence.once_per(client, 25.0, "report:{day}", wait_max=0)
        def report(day: int) -> str:
            calls.append(day)
            if len(calls) == 1:
                raise ZeroDivisionError
            return f"done {day}"

        return report

    one, other = reports(connect()), reports(connect())
    with pytest.raises(ZeroDivisionError):
        one(1)
    assert other(1) == "done 1" and one(2) == "done 2"
    assert one(1) is redfence.SKIPPED and not one(1) and other(2) is redfence.SKIPPED
    assert calls == [1, 1, 2] and one.__name__ == "report"


WAITS: dict[str, tuple[str, Callable[[redfence.Redfence, float], Any]]] = {
    "semaphore": ("r#queue", lambda client, wait: redfence.Semaphore(client, "r", 1).acquire(timeout=wait)),
    "election": ("r", lambda client, wait: redfence.Election(client, "r").campaign(timeout=wait)),
    "several": ("r", lambda client, wait: redfence.acquire_all(client, ["q", "r"], timeout=wait)),
    "once per period": ("r", lambda client, wait: redfence.OncePer(client, "r", 5.0).acquire(timeout=wait)),
}


@pytest.mark.parametrize("kind", WAITS)
def test_other_threads_run_while_one_waits(
    connect: Connect, servers: list[Server], settings: dict[str, Any], kind: str
) -> None:
    name, acquire = WAITS[kind]
    held, client, got = redfence.Lock(connect(), name), connect(), []
    held.acquire()
    waits = threading.Thread(target=lambda: got.append(acquire(client, 5 * PROMPT)))
    waits.start()
    eventually(lambda: waiting(servers, settings["prefix"], name) == {":1"})
    # Without the interpreter this thread would come to the release only after the other has given up.
    held.release()
    waits.join(5 * PROMPT)
    assert got and got[0] is not None


def test_embedded_nodes_have_the_recipes_as_well() -> None:
    client = redfence.embedded(3, max_ttl=60)
    with redfence.Semaphore(client, "s", 1) as permit, redfence.acquire_all(client, ["a", "b"]) as leases:
        assert permit.token > 0 and leases.valid_for > 0
        assert "['a', 'b']" in repr(leases) and "permits" in repr(redfence.Semaphore(client, "s", 1))
    with redfence.Election(client, "e").campaign():
        pass
    run = redfence.OncePer(client, "o", 60).acquire()
    assert run is not None and run.finish() > 0


def test_too_few_nodes_are_not_contention(settings: dict[str, Any]) -> None:
    with started(3) as own:
        client = redfence.connect([server.url for server in own], **{**settings, "node_timeout": 0.2})
        semaphore, election = redfence.Semaphore(client, "s", 2), redfence.Election(client, "e")
        period = redfence.OncePer(client, "o", 5.0)
        servers: list[Server] = own[:2]
        for server in servers:
            server.pause()
        for call in (
            lambda: semaphore.acquire(False),
            lambda: election.campaign(timeout=0),
            lambda: redfence.acquire_all(client, ["a", "b"], timeout=0),
            lambda: period.acquire(False),
        ):
            with pytest.raises(redfence.NoQuorum) as refused:
                call()
            assert len(refused.value.votes) == 3
        with pytest.raises(redfence.NoQuorum):
            election.leader()


def test_annotations_can_be_evaluated() -> None:
    """As frameworks do that fill arguments in."""
    import redfence.aio

    for module in (redfence, redfence.aio):
        for name in module.__all__:
            public = getattr(module, name)
            for callable in [public, *vars(public).values()] if inspect.isclass(public) else [public]:
                if inspect.isfunction(callable):
                    typing.get_type_hints(callable)
