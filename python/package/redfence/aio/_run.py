"""Waiting for a call from an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from .. import _core
from .._base import H, told

T = TypeVar("T")


async def run(op: "_core.Op[T]") -> T:
    """Makes the call. Cancelled, it undoes the call: what was acquired meanwhile is released.

    A loop that was closed is never called.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def settle(value: T, error: BaseException | None) -> None:
        if answer.done():
            # Cancelled: the value goes, and a lease is released with it.
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(value)

    def on_other_thread(value: T, error: BaseException | None) -> None:
        try:
            loop.call_soon_threadsafe(settle, value, error)
        except RuntimeError:
            # The loop was closed, so no task waits.
            pass

    task = op.start(on_other_thread)
    try:
        return await answer
    finally:
        # Cancelled, or the coroutine was closed.
        if answer.cancelled() or not answer.done():
            task.cancel()


def tell_loop(lease: H, callback: Callable[[H, str], object] | None) -> H:
    """Lets the running loop call `callback(lease, cause)` when the lease is lost."""
    if callback is None:
        return lease
    tell, loop = told(lease, callback), asyncio.get_running_loop()

    def on_other_thread(cause: str) -> None:
        try:
            loop.call_soon_threadsafe(tell, cause)
        except RuntimeError:
            # The loop was closed.
            pass

    lease.on_lost(on_other_thread)
    return lease
