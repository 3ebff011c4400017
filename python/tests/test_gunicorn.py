"""Workers that gunicorn forks from a program which has connected and holds a lease."""

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import redfence
from conftest import Connect
from servers import PROMPT, eventually, free_port

APP = """
import json, os
import redfence

client = redfence.connect({urls!r}, **{settings!r})
parent = redfence.Lock(client, "parent")
parent.acquire()
master = os.getpid()

def app(environ, start_response):
    with redfence.Lock(client, "r") as lease:
        said = {{
            "worker": os.getpid(), "master": master, "token": lease.token, "holder": lease.holder,
            "parent": parent.lease is None and parent.locked(),
        }}
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(said).encode()]
"""


@pytest.fixture
def port(tmp_path: Path, urls: list[str], settings: dict[str, Any]) -> Iterator[int]:
    """Two workers, forked after the program was loaded."""
    (tmp_path / "work.py").write_text(APP.format(urls=urls, settings=settings))
    with (tmp_path / "log").open("w") as log:
        for _ in range(20):
            port = free_port()
            command = [sys.executable, "-m", "gunicorn", "--preload", "--workers=2", f"--bind=127.0.0.1:{port}"]
            server = subprocess.Popen([*command, "work:app"], cwd=tmp_path, stdout=log, stderr=log)
            try:
                ready = eventually(lambda: server.poll() is not None or "Booting worker" in (tmp_path / "log").read_text())
                if ready and server.poll() is None:
                    yield port
                    return
            finally:
                server.send_signal(signal.SIGTERM)
                server.wait(2 * PROMPT)
    raise AssertionError((tmp_path / "log").read_text())


def test_each_worker_connects_for_itself_and_leaves_its_masters_lease(port: int, connect: Connect) -> None:
    answers: list[dict[str, Any]] = []

    def both_answered() -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PROMPT)
        connection.request("GET", "/")
        answers.append(json.loads(connection.getresponse().read()))
        connection.close()
        return len({answer["worker"] for answer in answers}) == 2

    eventually(both_answered)
    tokens = [answer["token"] for answer in answers]
    assert tokens == sorted(set(tokens)), "tokens rise over both workers"
    for answer in answers:
        assert answer["worker"] != answer["master"] and answer["parent"], "the lease is the master's"
        assert answer["holder"][1].endswith(f":{answer['worker']}")
    assert len({answer["holder"][0] for answer in answers}) == len(answers)
    # A worker that is killed takes nothing of its master's with it.
    os.kill(answers[0]["worker"], signal.SIGKILL)
    assert redfence.Lock(connect(), "parent").locked()
