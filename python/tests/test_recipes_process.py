"""The recipes over forks, signals, exits and kills: each in a process of its own, on real servers."""

import signal
import time
from typing import Any

import pytest

import redfence
from conftest import Connect
from programs import Program
from servers import PROMPT, Server, eventually, waiting

QUIET = "import warnings; warnings.simplefilter('ignore', DeprecationWarning)\n"

HELD = {
    "semaphore": ("r#1", "held = redfence.Semaphore(client, 'r', 1).acquire(timeout={wait})"),
    "election": ("r", "held = redfence.Election(client, 'r').campaign(timeout={wait})"),
    "several": ("r", "held = redfence.acquire_all(client, ['q', 'r'], timeout={wait})"),
    "once per period": ("r", "held = redfence.OncePer(client, 'r', 25.0).acquire(timeout={wait})"),
}


@pytest.fixture
def program(urls: list[str], settings: dict[str, Any]) -> Any:
    return lambda text, **more: Program(text, urls, {**settings, **more})


def test_what_a_killed_process_held_is_free_after_the_ttl(program: Any, connect: Connect) -> None:
    ran = program("""
client = connect(ttl=2)
permit = redfence.Semaphore(client, "s", 1).acquire()
leads = redfence.Election(client, "e").campaign()
several = redfence.acquire_all(client, ["a", "b"])
run = redfence.OncePer(client, "o", 25.0).acquire()
say(permit.token, leads.term, several.tokens["a"], run.token)
time.sleep(100)
""")
    tokens, names = [int(token) for token in ran.line().split()], ["s#1", "e", "a", "o"]
    locks = [redfence.Lock(connect(), name) for name in names]
    assert not locks[0].acquire(timeout=2.5), "a lease was not renewed"
    assert not any(lock.acquire(False) for lock in locks[1:]), "a lease was not renewed"
    ran.process.send_signal(signal.SIGKILL)
    for lock, token in zip(locks, tokens):
        assert lock.acquire(timeout=PROMPT) and lock.token > token
    assert ran.end()[0] == -signal.SIGKILL
    for lock in locks:
        lock.release()


def test_when_the_leader_is_killed_the_next_one_leads(program: Any, connect: Connect) -> None:
    election = redfence.Election(connect(), "e", label="second", ttl=2)
    ran = program("""
leads = redfence.Election(connect(ttl=2), "e", label="first").campaign()
say(leads.term)
time.sleep(100)
""")
    term, leaders = int(ran.line()), election.observe(0.05)
    assert next(leaders) == (term, "first")
    ran.process.send_signal(signal.SIGKILL)
    with election.campaign(timeout=PROMPT) as leads:
        assert leads.term > term
        assert next(leaders) == (leads.term, "second")
    ran.end()


@pytest.mark.parametrize("kind", HELD)
def test_a_fork_leaves_what_its_parent_holds(program: Any, connect: Connect, kind: str) -> None:
    name, acquire = HELD[kind]
    ran = program(QUIET + f"""
client = connect()
{acquire.format(wait=5)}
pid = os.fork()
if pid == 0:
    say(held.is_forked, held.lost.is_set(), held.lost.cause, held.lost.wait(0), held.valid_for)
    with held:
        pass
    say(redfence.Lock(client, {name!r}).locked(), redfence.Lock(client, {name!r}).acquire(False))
    del held
    with redfence.Semaphore(client, "other", 1) as lease:
        say(lease.holder.label == f"{{os.uname().nodename}}:{{os.getpid()}}")
    sys.exit(0)
say(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
held.check()
say("held")
""")
    assert ran.lines() == ["True True forked True 0.0", "True False", "True", "0", "held"]
    # And at the end of the program it is released.
    eventually(lambda: not redfence.Lock(connect(), name).locked())


@pytest.mark.parametrize("kind", HELD)
def test_ctrl_c_ends_a_wait_and_leaves_nothing(
    program: Any, connect: Connect, servers: list[Server], settings: dict[str, Any], kind: str
) -> None:
    name, acquire = HELD[kind]
    held = redfence.Lock(connect(), name)
    held.acquire()
    ran = program(f"""
client = connect()
try:
    say("waits")
    {acquire.format(wait=1000)}
except KeyboardInterrupt:
    say("interrupted")
""")
    assert ran.line() == "waits"
    eventually(lambda: waiting(servers, settings["prefix"], name) == {":1"})
    ran.process.send_signal(signal.SIGINT)
    assert ran.lines() == ["interrupted"]
    held.release()
    for left in (name, "q", "r", "r#queue"):
        lock = redfence.Lock(connect(), left)
        assert lock.acquire(timeout=PROMPT), f"{left} is left"
        lock.release()
