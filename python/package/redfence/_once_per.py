"""Work that is done once per period, for threads."""

from __future__ import annotations

import enum
import functools
import inspect
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, Literal, ParamSpec, TypeVar, overload

from . import _checked, _core
from ._base import Named, Settings, tell
from ._client import Redfence, client_of
from ._errors import Contended
from ._held import Block, found, kind
from ._lease import LeaseBase
from ._names import namer
from ._unpack import Unpack

P = ParamSpec("P")
R = TypeVar("R")


class Skipped(enum.Enum):
    """The result of a function that was not called. It is false."""

    SKIPPED = "skipped"

    def __bool__(self) -> bool:
        return False


SKIPPED: Final = Skipped.SKIPPED
"""The work was done in this period, or another process is doing it."""


class RunBase(LeaseBase):
    """A lease under which work is done that is done once per period."""

    __slots__ = ()

    def _finish_op(self, succeeded: bool) -> _core.Op[tuple[str, float]]:
        return self._first(self._core.finish(succeeded))

    def _end_op(self, succeeded: bool) -> _core.Op[tuple[str, float]] | None:
        return None if self.is_forked else self._core.finish(succeeded)

    def _found(self, outcome: tuple[str, float]) -> float:
        how, rest = outcome
        if how != "kept":
            found(self.name, how)
        return rest


class Run(RunBase, Block[_core.Lease]):
    """A lease under which work is done that is done once per period. Dropped without `finish`, it is released.

    ``with run:`` ends it: as a success, unless an exception leaves the block.
    """

    __slots__ = ()

    def finish(self, succeeded: bool = True) -> float:
        """Ends the work. After a success the lock stays for the rest of the period, and no other process begins. Returns for
        how many seconds the lock stays; 0.0 if it was released: the work failed, or took longer than the period.

        Raises `NotStored` when the work succeeded and too few nodes stored the period, which it tries for 30 s; `Overrun`
        when the lease had ended before; `NotAcquired` after an end.
        """
        return self._found(self._finish_op(succeeded).run())


class OncePerBase(Named):
    """Work that is done once per period, for threads and for event loops."""

    def __init__(
        self,
        client: Redfence | str | Sequence[str],
        name: str,
        per: float | None,
        *,
        hold_at_least: float | None = None,
        on_lost: Callable[..., object] | None = None,
        **settings: Unpack[Settings],
    ) -> None:
        super().__init__(client, name, on_lost=on_lost, **settings)
        self._times = (
            _checked.maybe(_checked.seconds, "per", per),
            _checked.maybe(_checked.seconds, "hold_at_least", hold_at_least),
        )
        _core.check_once(self.client.core, name, self._times, self._sort)

    def _acquire_op(self, blocking: bool, timeout: float) -> _core.Op[_core.Lease]:
        wait = self._wait(blocking, timeout)[0]
        return _core.acquire_once(self.client.core, self.name, self._times, wait, self._sort)

    def __repr__(self) -> str:
        return f"<{kind(self)} {self.name!r}, per {self._times[0]} s>"


class OncePer(OncePerBase):
    """Work that is done once per period of `per` seconds, however many processes try: as ``redfence run --once-per``.

    ``run = once.acquire()``; if it is not None: ``with run: …``. When the work succeeded, its lock stays at the nodes for the
    rest of the period, counted from the acquire. The nodes count, so the clocks of the machines do not matter. Work that
    failed may be done again at once, and work whose process crashed after the `ttl`.

    `hold_at_least`: seconds for which the lock stays however the work ends, also after a crash. `per` may be None then. No
    time may be longer than the client's `max_ttl`, which is the same in every program that uses these nodes with this
    `prefix`: give such work a prefix of its own. Settings and `on_lost` as for `redfence.Lock`.

    Raises `ConfigError` for a period that is too long for a lock, and `NameError` for a name that cannot be used.
    """

    def acquire(self, blocking: bool = True, timeout: float = -1) -> Run | None:
        """Begins the work; None if it was done in this period, or another process is doing it.

        Waits `timeout` seconds, or `wait_max`, for that process, and for a period that ends within that time; not for one that
        ends later. Raises the `AcquireError`s but `Contended`, with every node's vote, and `ConnectError` at the first
        call.
        """
        try:
            return tell(Run(self._acquire_op(blocking, timeout).run()), self._on_lost)
        except Contended:
            return None


class _Decorator:
    """The decorator that `once_per` returns."""

    def __init__(self, made: Callable[[str, bool], Any], name: str | None) -> None:
        self._made = made
        self._name = name

    @overload
    def __call__(
        self, function: Callable[P, Coroutine[Any, Any, R]]
    ) -> Callable[P, Coroutine[Any, Any, R | Literal[Skipped.SKIPPED]]]: ...
    @overload
    def __call__(self, function: Callable[P, R]) -> Callable[P, R | Literal[Skipped.SKIPPED]]: ...
    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        name_of = namer(function, self._name)
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def coroutine(*args: Any, **kwargs: Any) -> Any:
                run = await self._made(name_of(args, kwargs), True).acquire()
                if run is None:
                    return SKIPPED
                async with run:
                    return await function(*args, **kwargs)

            return coroutine

        @functools.wraps(function)
        def plain(*args: Any, **kwargs: Any) -> Any:
            run = self._made(name_of(args, kwargs), False).acquire()
            if run is None:
                return SKIPPED
            with run:
                return function(*args, **kwargs)

        return plain


def once_per(
    client: Redfence | str | Sequence[str],
    per: float | None,
    name: str | None = None,
    *,
    hold_at_least: float | None = None,
    **settings: Unpack[Settings],
) -> _Decorator:
    """Calls a function, or a coroutine function, once per period of `per` seconds, however many processes try.

    It returns what the function returns, or `SKIPPED`, which is false, if it was not called. An exception uses up no period.
    `name` as for `synchronized`; `hold_at_least` and settings as for `OncePer`.
    """

    locker = client_of(client)

    def made(name: str, is_async: bool) -> Any:
        from . import aio

        once_per = aio.OncePer if is_async else OncePer
        return once_per(locker, name, per, hold_at_least=hold_at_least, **settings)

    return _Decorator(made, name)
