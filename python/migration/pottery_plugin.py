"""A plugin of pytest: the tests of pottery get our locks in place of theirs, and the fixtures that their package lacks.

Their tests want a server at port 6379, take its databases for masters, which a quorum must not, and look at the key
``redlock:printer``. Each database is led to a server of its own, and the key to ours: what they read there is real.
"""

from __future__ import annotations

import binascii
import os
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pottery
import pytest
import pytest_asyncio
import redis
import redis.asyncio

import pottery_redlock

PORTS = [int(port) for port in os.environ["REDFENCE_SUITE_PORTS"].split(",")]
"""Of the database 0, 1 and so on."""
KEYS = {
    f"redlock:{name}": "{redfence:%d}:lock:%s" % (binascii.crc_hqx(name.encode(), 0) % 1024, name)
    for name in ("printer", "shower", "synchronized-func")
}


def _led(execute: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, *arguments, **options: execute(self, *(KEYS.get(a, a) for a in arguments), **options)


def _connected(init: Callable[..., None]) -> Callable[..., None]:
    def connected(self: Any, *arguments: Any, **options: Any) -> None:
        init(self, *arguments, **options)
        self.port, self.db = PORTS[int(self.db)], 0

    return connected


def _url_of(client: Any) -> str:
    return f"redis://127.0.0.1:{PORTS[int(client.connection_pool.connection_kwargs['db'])]}"


setattr(pottery_redlock, "url_of", _url_of)
pottery.Redlock = pottery_redlock.Redlock  # type: ignore[misc, assignment]
pottery.AIORedlock = pottery_redlock.AIORedlock  # type: ignore[misc, assignment]
pottery.synchronize = pottery_redlock.synchronize  # type: ignore[assignment]
redis.Redis.execute_command = _led(redis.Redis.execute_command)  # type: ignore[method-assign]
redis.asyncio.Redis.execute_command = _led(redis.asyncio.Redis.execute_command)  # type: ignore[method-assign]
redis.Connection.__init__ = _connected(redis.Connection.__init__)  # type: ignore[method-assign]
redis.asyncio.Connection.__init__ = _connected(redis.asyncio.Connection.__init__)  # type: ignore[method-assign]


@pytest.fixture(autouse=True)
def _free() -> None:
    """No lock of the test before. The nodes are not emptied: one that is takes no part until its locks have ended."""
    for db in range(len(PORTS)):
        with redis.Redis(db=db) as client:
            client.delete(*KEYS)


@pytest.fixture(name="redis")
def _redis() -> Iterator[redis.Redis]:
    with redis.Redis.from_url("redis://localhost:6379/0", socket_timeout=1) as client:
        yield client


@pytest_asyncio.fixture
async def aioredis() -> AsyncIterator[redis.asyncio.Redis]:
    async with redis.asyncio.Redis.from_url("redis://localhost:6379/0", socket_timeout=1) as client:
        yield client
