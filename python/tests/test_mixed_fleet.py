"""A client beside the locks of redis-py and python-redis-lock: the same keys, with the node of the older lock as anchor."""

import uuid
from typing import Any

import pytest
import redfence
import redis
import redis_lock
from conftest import Connect


@pytest.fixture
def name() -> str:
    return f"mixed-{uuid.uuid4()}"


def test_redis_py_on_one_node_and_leases_on_three_exclude_each_other(
    connect: Connect, urls: list[str], name: str
) -> None:
    client, older = connect(key_style="plain", anchor=0), redis.Redis.from_url(urls[0])
    with older.lock(name, timeout=30):
        with pytest.raises(redfence.Contended):
            redfence.Lock(client, name, wait_max=0.5).acquire()
    with redfence.Lock(client, name) as lease:
        assert not older.lock(name, timeout=30).acquire(blocking=False)
        assert lease.token > 0
    with older.lock(name, timeout=30):
        pass


def test_python_redis_lock_has_a_prefix(connect: Connect, urls: list[str], name: str) -> None:
    client, older = connect(key_style="plain:lock:", anchor=0), redis.Redis.from_url(urls[0])
    held = redis_lock.Lock(older, name, expire=30)
    assert held.acquire(blocking=False)
    assert not redfence.Lock(client, name).acquire(blocking=False)
    held.release()
    with redfence.Lock(client, name):
        assert not redis_lock.Lock(older, name, expire=30).acquire(blocking=False)


def test_a_style_and_an_anchor_that_cannot_be_are_named(urls: list[str]) -> None:
    refused: list[tuple[dict[str, Any], str]] = [
        ({"key_style": "plane"}, "key_style"),
        ({"anchor": 32}, "anchor is 32"),
        ({"key_style": "plain", "anchor": 3}, "anchor"),
    ]
    for wrong, said in refused:
        with pytest.raises((ValueError, redfence.ConfigError), match=said):
            redfence.connect(urls, **wrong)
