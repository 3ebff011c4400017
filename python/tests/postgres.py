"""A PostgreSQL server that the tests start and end."""

import contextlib
import glob
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator

import psycopg

from servers import eventually, free_port


def _program(name: str) -> str:
    found = shutil.which(name) or next(
        iter(
            sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), reverse=True)
            + glob.glob(f"/opt/homebrew/opt/postgresql@*/bin/{name}")
        ),
        None,
    )
    assert found, f"PostgreSQL's {name} is not found. On Debian and Ubuntu: apt-get install postgresql"
    return found


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """The connection string of a new server. It does not run as root, so then it runs as ``postgres``."""
    folder = tempfile.mkdtemp(prefix="redfence-pg-")
    user = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
    if user is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)
    who = {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    data = os.path.join(folder, "data")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
    initdb = [_program("initdb"), "-U", "redfence", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync", "-D", data]
    subprocess.run(initdb, check=True, **quiet, **who)  # type: ignore[call-overload]
    try:
        for _ in range(20):
            port = free_port()
            options = ["-c", f"port={port}", "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={folder}"]
            command = [_program("postgres"), "-D", data, "-F", *options]
            server = subprocess.Popen(command, **quiet, **who)  # type: ignore[call-overload]
            url = f"host={folder} port={port} user=redfence dbname=postgres"
            try:
                # Its own socket: another program's server is never meant.
                if eventually(lambda: server.poll() is not None or _answers(url)) and server.poll() is None:
                    yield f"postgresql://redfence@127.0.0.1:{port}/postgres"
                    return
            finally:
                # Fast shutdown: it does not wait for clients.
                server.send_signal(signal.SIGINT)
                server.wait()
        raise AssertionError("no free port in 20 tries")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _answers(url: str) -> bool:
    with contextlib.suppress(psycopg.OperationalError):
        psycopg.connect(url).close()
        return True
    return False
