"""Arguments that cannot be used: an exception that names the argument, what it is, and what it has to be."""

import asyncio
import math
from collections.abc import Callable
from typing import Any

import pytest

import redfence
from redfence import aio

SURROGATE = "\ud800"
NO_SECONDS: list[Any] = [None, "1", b"1", [], SURROGATE, math.nan, -math.inf, -2]
NO_TEXT = [None, 1, b"x", ["x"], SURROGATE]
NO_COUNT = [None, "1", 1.5, -1, 10**30]
NO_FLAG = ["yes", 1, 0.0]
NO_FUNCTION = [1, "f", []]


class Passed:
    """One argument of one call, and what it cannot be."""

    def __init__(self, what: str, bad: list[Any], call: Callable[[redfence.Redfence, Any], object]) -> None:
        self.what, self.bad, self.call = what, bad, call


def given(bad: list[Any]) -> list[Any]:
    """Without None, where it is as if nothing was given."""
    return [value for value in bad if value is not None]


def setting(name: str, bad: list[Any]) -> Passed:
    return Passed(name, given(bad), lambda client, value: redfence.Redfence("redis://a", **{name: value}))


def of_lock(name: str, bad: list[Any]) -> Passed:
    return Passed(name, given(bad), lambda client, value: redfence.Lock(client, "r", **{name: value}))


def cached(name: str, bad: list[Any]) -> Passed:
    return Passed(name, given(bad), lambda client, value: redfence.Cached(client, redfence.MemoryCache(), **{name: value}))


def get(client: redfence.Redfence, key: Any = "k", ttl: Any = 1, compute: Any = lambda: b"") -> object:
    return redfence.Cached(client, redfence.MemoryCache()).get_or_compute(key, ttl, compute)


def aio_get(client: redfence.Redfence, compute: Any) -> object:
    return asyncio.run(aio.Cached(client, redfence.MemoryCache()).get_or_compute("k", 1, compute))


def lost(client: redfence.Redfence) -> redfence.Lost:
    lock = redfence.Lock(client, "r")
    lock.acquire()
    return lock.lost


HOLDER = redfence.Holder("0" * 32, "label")

ALL = [
    Passed("count", NO_COUNT, lambda client, value: redfence.embedded(value)),
    Passed("nodes", [None, 1, b"x", [1], [SURROGATE]], lambda client, value: redfence.Redfence(value)),
    Passed("nodes", [None, 1], lambda client, value: asyncio.run(aio.connect(value))),
    *(setting(name, NO_SECONDS) for name in ("ttl", "max_ttl", "wait_max", "max_hold", "min_validity")),
    *(setting(name, NO_SECONDS) for name in ("node_timeout", "dial_timeout", "response_timeout")),
    *(setting(name, NO_FLAG) for name in ("renewed", "durable", "new_installation")),
    *(setting(name, NO_TEXT) for name in ("label", "prefix", "key_style", "server_name", "ca_file")),
    setting("drift_ppm", NO_COUNT),
    setting("client_certificate", ["a", ("a",), ("a", 1)]),
    Passed("client", [None, 1, [1]], lambda client, value: redfence.Lock(value, "r")),
    Passed("name", NO_TEXT, lambda client, value: redfence.Lock(client, value)),
    of_lock("wait_max", NO_SECONDS),
    of_lock("ttl", NO_SECONDS),
    of_lock("max_hold", NO_SECONDS),
    of_lock("renewed", NO_FLAG),
    of_lock("label", NO_TEXT),
    of_lock("on_lost", NO_FUNCTION),
    Passed("timeout", NO_SECONDS, lambda client, value: redfence.Lock(client, "r").acquire(timeout=value)),
    Passed("timeout", NO_SECONDS, lambda client, value: asyncio.run(aio.Lock(client, "r").acquire(timeout=value))),
    Passed("timeout", given(NO_SECONDS), lambda client, value: lost(client).wait(value)),
    Passed("callback", NO_FUNCTION, lambda client, value: redfence.Semaphore(client, "s", 1).__enter__().on_lost(value)),
    Passed("name", NO_TEXT, lambda client, value: client.owner(value)),
    Passed("prefix", NO_TEXT, lambda client, value: client.locks(value)),
    Passed("name", NO_TEXT, lambda client, value: client.reset(value)),
    Passed("reason", NO_TEXT, lambda client, value: client.reset("r", value)),
    Passed("reason", NO_TEXT, lambda client, value: client.reset_all(reason=value)),
    Passed("holder", [None, SURROGATE], lambda client, value: client.release_as("r", value)),
    Passed("ttl", given(NO_SECONDS), lambda client, value: client.extend_as("r", HOLDER, value)),
    Passed("ttl", given(NO_SECONDS), lambda client, value: asyncio.run(aio.extend_as(client, "r", HOLDER, value))),
    Passed("permits", NO_COUNT, lambda client, value: redfence.Semaphore(client, "s", value)),
    Passed("name", NO_TEXT, lambda client, value: redfence.Semaphore(client, value, 2)),
    Passed("names", [None, "r", b"r", 1, ["r", 1], [SURROGATE]], lambda client, value: redfence.acquire_all(client, value)),
    Passed("timeout", NO_SECONDS, lambda client, value: redfence.acquire_all(client, ["r"], value)),
    Passed("name", NO_TEXT, lambda client, value: redfence.Election(client, value)),
    Passed("timeout", NO_SECONDS, lambda client, value: redfence.Election(client, "e").campaign(value)),
    Passed("period", NO_SECONDS, lambda client, value: next(redfence.Election(client, "e").observe(value))),
    Passed("per", given(NO_SECONDS), lambda client, value: redfence.OncePer(client, "o", value)),
    Passed("hold_at_least", given(NO_SECONDS), lambda client, value: redfence.OncePer(client, "o", 1, hold_at_least=value)),
    Passed("name", given(NO_TEXT), lambda client, value: redfence.once_per(client, 1, value)(print)),
    Passed("name", given(NO_TEXT), lambda client, value: redfence.synchronized(client, value)(print)),
    Passed("function", NO_FUNCTION, lambda client, value: redfence.synchronized(client)(value)),
    Passed("client", NO_FUNCTION[:1], lambda client, value: redfence.synchronized(value)),
    Passed("store", [None, 1], lambda client, value: redfence.Cached(client, value)),
    Passed("store", [1, "nowhere", SURROGATE], lambda client, value: redfence.RedisCache(value)),
    Passed("prefix", NO_TEXT, lambda client, value: redfence.RedisCache("redis://a", value)),
    Passed("entries_max", NO_COUNT, lambda client, value: redfence.MemoryCache(value)),
    cached("wait_max", NO_SECONDS),
    cached("store_timeout", NO_SECONDS),
    cached("early_refresh", NO_COUNT),
    cached("if_unavailable", ["x", 1]),
    Passed("key", NO_TEXT, lambda client, value: get(client, key=value)),
    Passed("key", NO_TEXT, lambda client, value: redfence.Cached(client, redfence.MemoryCache()).invalidate(value)),
    Passed("ttl", [*NO_SECONDS, 0, math.inf], lambda client, value: get(client, ttl=value)),
    Passed("compute", NO_FUNCTION, lambda client, value: get(client, compute=value)),
    Passed("compute", NO_FUNCTION, lambda client, value: aio_get(client, value)),
    Passed("compute", [None, "x", 1, [1]], lambda client, value: get(client, compute=lambda: value)),
]


@pytest.mark.parametrize("passed", ALL, ids=lambda passed: passed.what)
def test_a_bad_argument_is_named(passed: Passed) -> None:
    client = redfence.embedded(1)
    for value in passed.bad:
        with pytest.raises((TypeError, ValueError)) as refused:
            passed.call(client, value)
        said = str(refused.value)
        assert passed.what in said and ("has to" in said or "a holder is" in said or "surrogate" in said), (value, said)
        assert len(said) < 300, "a huge value is not repeated whole"


def test_every_setting_has_a_type_and_a_check() -> None:
    from redfence import _checked, _client

    assert _client.ClientSettings.__annotations__.keys() == _checked._OF_SETTINGS.keys()


def test_times_without_an_end_are_as_good_as_infinity(urls: list[str], settings: dict[str, Any]) -> None:
    for endless in (math.inf, 1e300, 10**400):
        times: dict[str, Any] = {"dial_timeout": endless, "response_timeout": endless, "wait_max": endless, "max_hold": endless}
        lock = redfence.Lock(redfence.connect(urls, **settings, **times), "r")
        assert lock.acquire(timeout=endless)
        lock.release()


def test_a_wait_of_no_time_is_not_the_default() -> None:
    client = redfence.embedded(1, wait_max=0)
    with redfence.Lock(client, "r"), pytest.raises(redfence.Contended):
        redfence.Lock(client, "r").acquire()
    assert client.wait_max == 0


def test_a_field_of_a_name_has_to_be_an_argument() -> None:
    client = redfence.embedded(1)
    for name in ("report:{dya}", "report:{dya[0]}", "report:{}", "report:{0}"):
        with pytest.raises(ValueError, match=r"not an argument of .*report, which has: day"):

            @redfence.synchronized(client, name)
            def report(day: str) -> None:
                pass

    @redfence.synchronized(client, "{{{day[0]}}}:{day:>3}")
    def fine(day: str) -> list[str]:
        return [lock.name for lock in client.locks()]

    assert fine("x") == ["{x}:  x"]


@pytest.mark.parametrize("kind", [redfence.Lock, lambda client, name: redfence.Semaphore(client, name, 1)])
def test_a_block_that_was_not_entered_cannot_be_left(kind: Any) -> None:
    with pytest.raises(redfence.NotAcquired):
        kind(redfence.embedded(1), "r").__exit__(None, None, None)
