"""The background threads of this process. A fork gets its own at its first call."""

import atexit
import os
import threading
import time
import weakref
from typing import Protocol

from . import _core

EXIT_SECONDS = 1.0
"""How long the end of a program waits for its releases."""


class _Releasable(Protocol):
    def _release_in_background(self, done: "threading.Semaphore") -> bool: ...


class _Drainable(Protocol):
    def _drain(self, within: float) -> None: ...


_home: tuple[int, _core.Runtime] | None = None
_starting = threading.Lock()
leases: "weakref.WeakSet[_Releasable]" = weakref.WeakSet()
clients: "weakref.WeakSet[_Drainable]" = weakref.WeakSet()


def runtime() -> _core.Runtime:
    """The runtime of this process; started where there is none."""
    global _home
    home = _home
    if home is not None and home[0] == os.getpid():
        return home[1]
    with _starting:
        if _home is None or _home[0] != os.getpid():
            _home = (os.getpid(), _core.Runtime())
        return _home[1]


def _after_fork() -> None:
    # Another thread of the parent may have had it, and is not here to give it back.
    global _starting, leases, clients
    _starting = threading.Lock()
    leases = weakref.WeakSet()
    clients = weakref.WeakSet()


def _at_exit() -> None:
    """Releases what is held, so that other processes need not wait for its TTL. Takes little more than `EXIT_SECONDS`."""
    home = _home
    if home is None or home[0] != os.getpid():
        return
    end = time.monotonic() + EXIT_SECONDS
    done = threading.Semaphore(0)
    begun = [lease._release_in_background(done) for lease in list(leases)]
    for _ in filter(None, begun):
        if not done.acquire(timeout=max(0.0, end - time.monotonic())):
            break
    for client in list(clients):
        client._drain(max(0.0, end - time.monotonic()))
    home[1].close(EXIT_SECONDS)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
