"""A MariaDB server that the tests start and end."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from typing import IO, Any

from servers import eventually, free_port


def _program(name: str) -> str:
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/opt/homebrew/bin"]))
    assert found, f"MariaDB's {name} is not found. On Debian and Ubuntu: apt-get install mariadb-server"
    return found


@contextlib.contextmanager
def mariadb() -> Iterator[int]:
    """The port of a new server, whose user root needs no password. It does not run as root, so then it runs as ``mysql``."""
    folder = tempfile.mkdtemp(prefix="redfence-my-")
    user = pwd.getpwnam("mysql") if os.geteuid() == 0 else None
    if user is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)
    who = {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    data, log = os.path.join(folder, "data"), open(os.path.join(folder, "log"), "w+")
    how: dict[str, Any] = {"stdout": log, "stderr": log, "cwd": folder, "env": {**os.environ, "TMPDIR": folder}, **who}
    fast = ["--innodb-flush-log-at-trx-commit=0", "--innodb-flush-method=nosync", "--innodb-buffer-pool-size=32M"]
    try:
        install = [_program("mariadb-install-db"), "--no-defaults", "--auth-root-authentication-method=normal"]
        done = subprocess.run([*install, "--skip-test-db", f"--datadir={data}"], **how)
        assert done.returncode == 0, _said(log)
        for _ in range(20):
            port, path = free_port(), os.path.join(folder, "socket")
            options = ["--bind-address=127.0.0.1", "--skip-name-resolve", f"--datadir={data}", f"--socket={path}", *fast]
            command = [_program("mariadbd"), "--no-defaults", f"--port={port}", *options]
            server = subprocess.Popen(command, **how)
            try:
                # Its own socket: another program's server is never meant.
                if eventually(lambda: server.poll() is not None or _answers(path), 60) and server.poll() is None:
                    yield port
                    return
            finally:
                server.send_signal(signal.SIGTERM)
                server.wait()
        raise AssertionError(f"no free port in 20 tries: {_said(log)}")
    finally:
        log.close()
        shutil.rmtree(folder, ignore_errors=True)


def _said(log: IO[str]) -> str:
    log.seek(0)
    return log.read()[-5000:]


def _answers(path: str) -> bool:
    # It listens when it is ready. PyMySQL would leave its socket open where nothing listens.
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
        probe.connect(path)
        return True
    return False
