"""Celery tasks that run one at a time for each name: ``@app.task(base=Once, once={"client": …, "name": "report:{day}"})``."""

from __future__ import annotations

import threading
from typing import Any

from celery import Task
from celery.exceptions import Ignore

from ._errors import Contended
from ._lease import Lease
from ._lock import Lock
from ._names import namer

_OPTIONS = {"client", "name", "busy", "ttl", "renewed", "max_hold", "label"}


class _Runs(threading.local):
    """The leases of this thread, by the name of the task: the threads of a worker share one object for each task."""

    def __init__(self) -> None:
        self.leases: dict[str, Lease] = {}


_runs = _Runs()


class Once(Task):  # type: ignore[misc]
    """A task that runs under a lock, whose name is made of its arguments.

    `once` has `client` (a `redfence.Redfence`, URLs, or a function that gives one), `name` (by default the task's own),
    settings of `redfence.Lock`, and `busy`: what to do while another run has the lock. ``"retry"``, unless given, tries
    again when that one's lease may be over, however often it takes: so a run that was redelivered because its worker was
    killed is not lost. ``"ignore"`` drops the run.

    In the task, `self.lease` (with ``bind=True``) is its lease: ``self.lease.token`` belongs into every write.
    """

    once: dict[str, Any] = {}

    @property
    def lease(self) -> Lease | None:
        """The lease of the run that asks; None outside of a run."""
        return _runs.leases.get(self.name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        unknown = self.once.keys() - _OPTIONS
        if unknown or "client" not in self.once:
            raise TypeError(f"once of {self.name} has {sorted(self.once)}: it needs client, and may have {sorted(_OPTIONS)}")
        busy = self.once.get("busy", "retry")
        if busy not in ("retry", "ignore"):
            raise ValueError(f'busy of {self.name} is {busy!r}: it has to be "retry" or "ignore"')
        lock = self._lock(args, kwargs)
        try:
            lease = lock._acquired(0.0)
        except Contended as held:
            self._busy(held)
            raise
        outer = self.lease
        _runs.leases[self.name] = lease
        try:
            with lease:
                return super().__call__(*args, **kwargs)
        finally:
            del _runs.leases[self.name]
            if outer is not None:
                _runs.leases[self.name] = outer

    def _lock(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Lock:
        client = self.once["client"]
        settings = {name: value for name, value in self.once.items() if name not in ("client", "name", "busy")}
        name = namer(self.run, self.once.get("name", self.name))(args, kwargs)
        return Lock(client() if callable(client) else client, name, **settings)

    def _busy(self, held: Contended) -> None:
        if self.once.get("busy", "retry") == "ignore":
            raise Ignore from held
        left = max((vote.ttl_left or 0.0 for vote in held.votes), default=0.0)
        # A live run renews, so this may be early; a dead one is over by then.
        raise self.retry(exc=held, countdown=left + 0.1, max_retries=None)
