"""A plugin of pytest: the keys that python-redis-lock's tests look at are called otherwise here.

Their class is exchanged by `redis_lock.py`, which is found before theirs, also by the programs that the tests start.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable
from typing import Any

import pytest
import redis

_execute: Callable[..., Any] = redis.Redis.execute_command


def _key(argument: Any) -> Any:
    if not isinstance(argument, str) or not argument.startswith("lock:"):
        return argument
    name = argument.removeprefix("lock:")
    return "{redfence:%d}:lock:%s" % (binascii.crc_hqx(name.encode(), 0) % 1024, name)


def _led(self: Any, *arguments: Any, **options: Any) -> Any:
    if arguments[0] == "FLUSHDB":
        # Every test has a server of its own, which ends with it.
        arguments = ("PING",)
    return _execute(self, *map(_key, arguments), **options)


redis.Redis.execute_command = _led  # type: ignore[method-assign]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Their two fixtures for connections have the same two values, and but one counts: a quarter of the pairs is enough."""
    twice = [item for item in items if "decode_responses=False-" in item.name or "-decode_responses=False" in item.name]
    config.hook.pytest_deselected(items=twice)
    items[:] = [item for item in items if item not in twice]
