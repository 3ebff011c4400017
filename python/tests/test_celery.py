"""Tasks that run one at a time, also when a worker is killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import redfence
from servers import PROMPT, Server, eventually
from servers import servers as started

APP = """
import os, time
import celery
import redfence
from redfence.celery import Once

app = celery.Celery("work", broker={broker!r})
app.conf.broker_connection_retry_on_startup = True
app.conf.worker_prefetch_multiplier = 1
client = redfence.Redfence({urls!r}, **{settings!r})

def write(*words):
    with open({out!r}, "a") as file:
        print(*words, file=file)

@app.task(base=Once, bind=True, acks_late=True, reject_on_worker_lost=True,
          once={{"client": client, "name": "report:{{day}}", "ttl": 4}})
def report(self, day, seconds):
    write("begin", day, os.getpid(), self.lease.token)
    self.lease.check()
    if not os.path.exists({out!r} + ".second"):
        open({out!r} + ".second", "w").close()
        time.sleep(seconds)
    write("end", day, os.getpid(), self.lease.token)

@app.task(base=Once, once={{"client": client, "name": "report:{{day}}", "busy": "ignore"}})
def at_most_one(day):
    write("ran", day)

@app.task
def last():
    write("last")
"""


@pytest.fixture
def worker(tmp_path: Path, urls: list[str], settings: dict[str, Any]) -> Iterator[Path]:
    """A worker with two processes over a broker of its own. Gives the file that tasks write to."""
    with started(1) as [broker]:
        out = tmp_path / "out"
        out.touch()
        text = APP.format(broker=f"{broker.url}/0", urls=urls, settings=settings, out=str(out))
        (tmp_path / "work.py").write_text(text)
        command = [sys.executable, "-m", "celery", "-A", "work", "worker", "--pool=prefork", "--concurrency=2"]
        log = (tmp_path / "log").open("w")
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
        environment["C_FORCE_ROOT"] = "1"
        process = subprocess.Popen(
            [*command, "--without-gossip", "--without-mingle"], cwd=tmp_path, env=environment, stdout=log, stderr=log
        )
        try:
            yield out
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(PROMPT)
            finally:
                process.kill()
                process.wait()
                log.close()
            print((tmp_path / "log").read_text()[-5000:])


def send(out: Path, call: str) -> None:
    subprocess.run([sys.executable, "-c", f"import work; {call}"], cwd=out.parent, check=True, timeout=2 * PROMPT)


def lines(out: Path, word: str) -> list[list[str]]:
    return [line.split() for line in out.read_text().splitlines() if line.startswith(word)]


def test_a_run_whose_worker_is_killed_is_made_again_after_the_ttl(worker: Path, servers: list[Server]) -> None:
    send(worker, "work.report.delay(day='monday', seconds=100)")
    [[_, _, pid, token]] = eventually(lambda: lines(worker, "begin"))
    # Renewed for longer than its TTL, and another run waits.
    send(worker, "work.at_most_one.delay('monday'); work.last.delay()")
    eventually(lambda: lines(worker, "last"))
    assert not lines(worker, "ran"), "it ran beside the first"
    os.kill(int(pid), signal.SIGKILL)
    killed = time.monotonic()
    [_, _, second, greater] = eventually(lambda: lines(worker, "end"), 3 * PROMPT)[0]
    assert time.monotonic() - killed > 0.5, "it did not wait for the TTL"
    assert second != pid and int(greater) > int(token)
    assert len(lines(worker, "begin")) == 2
    send(worker, "work.at_most_one.delay('monday')")
    eventually(lambda: lines(worker, "ran"))


def test_options_that_are_wrong_are_said() -> None:
    import celery

    from redfence.celery import Once

    app = celery.Celery("test")

    @app.task(base=Once, once={"client": redfence.embedded(1), "tll": 3})  # type: ignore[untyped-decorator]
    def task() -> None:
        pass

    with pytest.raises(TypeError, match="tll"):
        task()
    task.once = {"client": redfence.embedded(1), "busy": "wait"}
    with pytest.raises(ValueError, match='busy of .* is \'wait\': it has to be "retry" or "ignore"'):
        task()
    task.once = {"client": redfence.embedded(1), "name": "report:{day}"}
    with pytest.raises(ValueError, match="'day' is not an argument of .*task, which has: none"):
        task()


def test_runs_in_the_threads_of_a_worker_have_their_own_leases() -> None:
    import threading

    import celery

    from redfence.celery import Once

    app, both, seen = celery.Celery("test"), threading.Barrier(2, timeout=PROMPT), []

    @app.task(base=Once, bind=True, once={"client": redfence.embedded(1), "name": "report:{day}"})  # type: ignore[untyped-decorator]
    def report(self: Any, day: str) -> None:
        # Both runs are under way.
        both.wait()
        seen.append((day, self.lease.name))

    threads = [threading.Thread(target=report, args=(day,)) for day in ("monday", "tuesday")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == [("monday", "report:monday"), ("tuesday", "report:tuesday")]
    assert report.lease is None
