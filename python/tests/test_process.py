"""Forks, signals, exits and kills: each in a process of its own, on real servers."""

import signal
import sys
import time
from typing import Any

import pytest

import redfence
from conftest import Connect
from programs import Program
from servers import PROMPT, Server, eventually, waiting

# Python 3.12 warns of any fork of a process that has threads; what is shown here is that this one goes well.
QUIET = "import warnings; warnings.simplefilter('ignore', DeprecationWarning)\n"


@pytest.fixture
def program(urls: list[str], settings: dict[str, Any]) -> Any:
    return lambda text, **more: Program(text, urls, {**settings, **more})


def test_a_fork_connects_for_itself_and_leaves_the_leases_of_its_parent(program: Any, connect: Connect) -> None:
    ran = program(QUIET + """
client = connect()
lock, other = redfence.Lock(client, "r"), redfence.Lock(client, "other")
with other:
    pass
lock.acquire()
pid = os.fork()
if pid == 0:
    say(lock.lease is None, lock.owned(), lock.acquire(False), lock.locked())
    try:
        lock.release()
    except redfence.NotAcquired:
        say("not acquired")
    with other as lease:
        say(lease.holder.label == f"{os.uname().nodename}:{os.getpid()}")
    del lock
    sys.exit(0)
say(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
lock.check()
lock.extend()
say(lock.release())
""")
    assert ran.lines() == ["True False False True", "not acquired", "True", "0", "released"]
    assert not redfence.Lock(connect(), "r").locked()


def test_a_fork_within_a_block_leaves_the_lease_to_its_parent(program: Any) -> None:
    ran = program(QUIET + """
lock = redfence.Lock(connect(), "r")
with lock:
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
        lock.check()
say("child" if pid == 0 else "parent", lock.locked())
""")
    assert ran.lines() == ["child True", "parent False"]


def test_a_check_in_a_fork_says_that_the_lease_is_lost(program: Any) -> None:
    ran = program(QUIET + """
client = connect()
with redfence.Lock(client, "r") as lease, redfence.acquire_all(client, ["a", "b"]) as leases:
    pid = os.fork()
    for held in (lease, leases) if pid == 0 else ():
        try:
            held.check()
        except redfence.LostError as lost:
            say(lost.cause)
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    lease.check()
    leases.check()
""")
    assert ran.lines() == ["forked", "forked"]


def test_forks_while_threads_are_at_work(program: Any) -> None:
    ran = program(QUIET + """
client = connect()
stop = threading.Event()
def work(name):
    while not stop.is_set():
        with redfence.Lock(client, name):
            pass
threads = [threading.Thread(target=work, args=(f"r{n % 2}",)) for n in range(4)]
for thread in threads: thread.start()
codes = []
for n in range(10):
    pid = os.fork()
    if pid == 0:
        signal.alarm(30)
        with redfence.Lock(client, "r0", wait_max=20):
            pass
        os._exit(7)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
stop.set()
for thread in threads: thread.join()
say(codes == [7] * 10, codes)
""")
    assert ran.lines() == [f"True {[7] * 10}"]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_multiprocessing(program: Any, tmp_path: Any, method: str, urls: list[str], settings: dict[str, Any]) -> None:
    (tmp_path / "work.py").write_text("""
import redfence
def work(task):
    urls, settings, path = task
    lock = redfence.Lock(redfence.Redfence(urls, **settings), "r")
    tokens = []
    for _ in range(20):
        with lock as lease:
            with open(path) as file:
                number = int(file.read())
            with open(path, "w") as file:
                file.write(str(number + 1))
            tokens.append(lease.token)
    return tokens
""")
    counter = tmp_path / "counter"
    counter.write_text("0")
    ran = program(QUIET + f"""
import multiprocessing
sys.path.insert(0, {str(tmp_path)!r})
from work import work
client = connect()
with redfence.Lock(client, "parent"):
    with multiprocessing.get_context({method!r}).Pool(4) as pool:
        tokens = sum(pool.map(work, [(urls, settings, {str(counter)!r})] * 4, chunksize=1), [])
say(len(set(tokens)))
""")
    assert ran.lines() == ["80"]
    assert counter.read_text() == "80"


def test_ctrl_c_ends_a_wait_at_once(
    program: Any, connect: Connect, servers: list[Server], settings: dict[str, Any]
) -> None:
    held = redfence.Lock(connect(), "r")
    held.acquire()
    ran = program("""
lock = redfence.Lock(connect(), "r")
say("waits")
began = time.monotonic()
try:
    lock.acquire(timeout=100)
except KeyboardInterrupt:
    say("interrupted", time.monotonic() - began < 50)
held = redfence.Lock(connect(), "other")
with held:
    say(held.acquire(False))
""")
    assert ran.line() == "waits"
    eventually(lambda: waiting(servers, settings["prefix"], "r") == {":1"})
    ran.process.send_signal(signal.SIGINT)
    assert ran.lines() == ["interrupted True", "False"]
    held.release()
    # The interrupted program has left the queue.
    assert held.acquire(timeout=PROMPT)
    held.release()


def test_ctrl_c_without_a_handler_ends_the_program(
    program: Any, connect: Connect, servers: list[Server], settings: dict[str, Any]
) -> None:
    with redfence.Lock(connect(), "r"):
        ran = program("""
lock = redfence.Lock(connect(), "r")
say("waits")
lock.acquire(timeout=100)
""")
        assert ran.line() == "waits"
        eventually(lambda: waiting(servers, settings["prefix"], "r") == {":1"})
        ran.process.send_signal(signal.SIGINT)
        code, _, errors = ran.end()
    assert code in (-signal.SIGINT, 130) and "KeyboardInterrupt" in errors


@pytest.mark.parametrize(
    "ending",
    [
        "",
        "sys.exit(0)",
        "lock.on_lost = None; del client",
        "threading.Thread(target=other.acquire, kwargs={'timeout': 100}, daemon=True).start(); time.sleep(0.1)",
        "lock.lease.on_lost(lambda cause: say('lost', cause))",
        "import asyncio; asyncio.run(redfence.aio.Lock(client, 'third').acquire())",
    ],
)
def test_a_program_that_ends_with_a_lease_releases_it(program: Any, connect: Connect, ending: str) -> None:
    # A TTL that no test waits for.
    ran = program(f"""
import redfence.aio
client = connect(ttl=30)
lock, other = redfence.Lock(client, "r"), redfence.Lock(connect(), "r")
lock.acquire()
{ending}
""")
    assert ran.lines() == []
    lock = redfence.Lock(connect(), "r")
    assert lock.acquire(timeout=PROMPT)
    lock.release()


@pytest.mark.parametrize(
    "work",
    [
        "redfence.Lock(client, 'held').acquire(timeout=100)",
        "redfence.Election(client, 'held').campaign(100)",
        "list(redfence.Election(client, 'led').observe(0.01))",
        "held.lost.wait()",
        "while True:\n        with redfence.Lock(client, 'r'): pass",
    ],
)
def test_a_program_ends_without_complaints_while_daemon_threads_are_at_work(program: Any, work: str) -> None:
    ran = program(f"""
client = redfence.embedded(3)
held = redfence.Lock(client, "held")
held.acquire()
begun = threading.Semaphore(0)
def work():
    begun.release()
    {work}
for n in range(16):
    threading.Thread(target=work, daemon=True).start()
for n in range(16):
    begun.acquire()
say("end")
""")
    assert ran.lines() == ["end"]


def test_a_program_ends_though_no_node_answers(settings: dict[str, Any]) -> None:
    from servers import servers

    with servers(3) as own:
        ran = Program("""
lock = redfence.Lock(connect(), "r")
lock.acquire()
say("acquired")
sys.stdin.readline()
""", [server.url for server in own], settings)
        assert ran.line() == "acquired"
        for server in own:
            server.pause()
        assert ran.lines() == []


def test_a_worker_that_is_killed_leaves_its_lock_until_its_ttl(program: Any, connect: Connect) -> None:
    ran = program("""
lock = redfence.Lock(connect(ttl=4), "r")
lock.acquire()
say(lock.token)
time.sleep(100)
""")
    token = int(ran.line())
    lock = redfence.Lock(connect(), "r")
    assert not lock.acquire(timeout=4.5), "a lease was not renewed"
    ran.process.send_signal(signal.SIGKILL)
    killed = time.monotonic()
    assert lock.acquire(timeout=PROMPT)
    assert lock.token > token
    assert time.monotonic() - killed > 0.5, "it did not wait for the TTL"
    lock.release()
    assert ran.end()[0] == -signal.SIGKILL


def test_callbacks_that_raise_are_told_and_end_nothing(program: Any) -> None:
    ran = program("""
lock = redfence.Lock(connect(), "r", ttl=0.3, renewed=False, on_lost=lambda lease, cause: 1 / 0)
lock.acquire()
lock.lost.wait()
told = threading.Event()
lock.lease.on_lost(lambda cause: told.set())
say(told.wait(20))
""")
    code, lines, errors = ran.end()
    assert (code, lines) == (0, ["True"]) and "ZeroDivisionError" in errors


def test_other_threads_run_while_one_waits(connect: Connect) -> None:
    import threading

    held, lock = redfence.Lock(connect(), "r"), redfence.Lock(connect(), "r")
    held.acquire()
    waits = threading.Thread(target=lock.acquire, kwargs={"timeout": PROMPT})
    waits.start()
    # Without the interpreter this thread would come to the release only after the other has given up.
    held.release()
    waits.join()
    assert lock.owned()
    lock.release()
    eventually(lambda: not lock.locked())


def test_this_interpreter_is_supported() -> None:
    assert sys.version_info >= (3, 10)
