"""A plugin of pytest: the tests of redis-py get our locks in place of theirs.

Their tests look at the key ``foo`` on the server. Ours is called otherwise, so their clients are led to it: what they
read there, and the foreign holders that they write, is real.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable
from typing import Any

import redis
import redis.asyncio
import redis.asyncio.lock
import redis.lock

import redis_py

NAME = "foo"
KEY = "{redfence:%d}:lock:%s" % (binascii.crc_hqx(NAME.encode(), 0) % 1024, NAME)


def _led(execute: Callable[..., Any]) -> Callable[..., Any]:
    def led(self: Any, *arguments: Any, **options: Any) -> Any:
        if arguments[0] in ("FLUSHDB", "FLUSHALL"):
            # A node that is emptied takes no part until everything that it forgot has expired.
            arguments = ("DEL", NAME)
        return execute(self, *(KEY if argument == NAME else argument for argument in arguments), **options)

    return led


redis.lock.Lock = redis_py.Lock  # type: ignore[misc, assignment]
redis.asyncio.lock.Lock = redis_py.AsyncLock  # type: ignore[misc, assignment]
redis.Redis.execute_command = _led(redis.Redis.execute_command)  # type: ignore[method-assign]
redis.asyncio.Redis.execute_command = _led(redis.asyncio.Redis.execute_command)  # type: ignore[method-assign]
