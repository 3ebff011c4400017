"""Redis servers that the tests start and end."""

import binascii
import contextlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
PROMPT = 20.0
"""Seconds in which everything happens that is to happen at once, on any machine."""


def eventually(condition: Callable[[], T], within: float = PROMPT) -> T:
    """Waits until the condition holds, and gives what it gave."""
    end = time.monotonic() + within
    while not (value := condition()):
        assert time.monotonic() < end, f"it does not hold after {within} s"
        time.sleep(0.01)
    return value


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """One redis-server on a loopback port."""

    def __init__(self) -> None:
        program = shutil.which("redis-server")
        assert program, "redis-server is not on PATH: install Redis 6.2 or later"
        self.folder = tempfile.mkdtemp(prefix="redfence-py-")
        for _ in range(20):
            self.port = free_port()
            options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", self.folder]
            self.process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            # It ends by itself where another program has got the port.
            if eventually(lambda: self.process.poll() is not None or self._is_mine()) and self.process.poll() is None:
                return
        raise AssertionError("no free port in 20 tries")

    def _is_mine(self) -> bool:
        with contextlib.suppress(OSError):
            return f"process_id:{self.process.pid}" in self.ask("INFO server")
        return False

    def ask(self, command: str) -> str:
        """The first part of the answer to an inline command."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PROMPT) as connection:
            connection.sendall(command.encode() + b"\r\n")
            return connection.recv(65536).decode()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def pause(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.go_on()
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def waiting(servers: Iterable[Server], prefix: str, name: str) -> set[str]:
    """How many processes stand in the queue of `name`, as each server answers: ``:1``."""
    queue = "{%s:%d}:queue:%s" % (prefix, binascii.crc_hqx(name.encode(), 0) % 1024, name)
    return {server.ask(f"ZCARD {queue}").strip() for server in servers}


@contextlib.contextmanager
def servers(count: int) -> Iterator[list[Server]]:
    started: list[Server] = []
    try:
        for _ in range(count):
            started.append(Server())
        yield started
    finally:
        for server in started:
            server.stop()
