"""The decorator."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar, cast

from ._base import Settings
from ._client import Redfence, client_of
from ._lock import Lock
from ._names import namer
from ._unpack import Unpack

P = ParamSpec("P")
R = TypeVar("R")


def synchronized(
    client: Redfence | str | Sequence[str], name: str | None = None, **settings: Unpack[Settings]
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Runs a function, or a coroutine function, under a lock; settings as for `Lock`.

    `name` may have fields for the arguments: ``"invoice:{number}"``. Without one it is the function's own, with its
    module. A function that calls itself waits for itself.
    """

    locker = client_of(client)

    def decorated(function: Callable[P, R]) -> Callable[P, R]:
        name_of = namer(function, name)
        if inspect.iscoroutinefunction(function):
            from . import aio

            @functools.wraps(function)
            async def coroutine(*args: P.args, **kwargs: P.kwargs) -> Any:
                async with aio.Lock(locker, name_of(args, kwargs), **settings):
                    return await function(*args, **kwargs)

            return cast("Callable[P, R]", coroutine)

        @functools.wraps(function)
        def plain(*args: P.args, **kwargs: P.kwargs) -> R:
            with Lock(locker, name_of(args, kwargs), **settings):
                return function(*args, **kwargs)

        return plain

    return decorated
