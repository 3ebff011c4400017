"""Adds to the counter under the lock of one Python client: counter.py CLIENT FILE ROUNDS URL..."""
import sys
import time

import redis

client, path, rounds, urls = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]
servers = [redis.Redis.from_url(url) for url in urls]


def redis_py():
    return servers[0].lock("counter", timeout=10, sleep=0.005)


def redis_py_endless():
    # The default: no time to live.
    return servers[0].lock("counter", sleep=0.005)


def python_redis_lock():
    import redis_lock

    # Its waiters wait for a signal that only its own holders send, and ask again when this time has passed.
    return redis_lock.Lock(servers[0], "counter", expire=1)


def pottery():
    from pottery import Redlock

    return Redlock(key="counter", masters=set(servers), auto_release_time=10)


def django_redis():
    from django.core.cache import cache

    return cache.lock("counter", timeout=10, sleep=0.005)


if client == "django_redis":
    from django.conf import settings

    backend = {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": urls[0]}
    settings.configure(CACHES={"default": backend})

for _ in range(rounds):
    with globals()[client]():
        with open(path) as file:
            number, turns, last = file.read().split(" ")
        time.sleep(0.002)
        with open(path, "w") as file:
            file.write(f"{int(number) + 1} {int(turns) + (last != client)} {client}")
    time.sleep(0.002)
