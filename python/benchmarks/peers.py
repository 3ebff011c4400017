"""Measures redfence beside redis-py's Lock, python-redis-lock and pottery: pairs of acquire and release a second.

    python peers.py                  the figures of README.md, in about 5 minutes
    python peers.py --smoke          the same once and shortly: whether it runs, and whether the locks exclude

Every lock has its defaults and a TTL of 10 s. Each measurement is made by processes of its own. The locks take turns
within each round, so that load from outside meets all of them; a ratio is the median of the rounds' ratios. While a
lock is held, a shared variable says so: two holders of redfence's at once are an error, and so is no pair at all.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import statistics
import sys
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from multiprocessing.context import SpawnProcess
from typing import Any, NamedTuple

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests"))

from servers import servers  # noqa: E402

TTL = 10
LIMIT = 120.0
"""Seconds after which a participant that has not ended is an error."""

Locks = Callable[[str], AbstractContextManager[Any]]


def redfence(urls: list[str]) -> Locks:
    import redfence

    client = redfence.connect(urls, new_installation=True)
    return lambda name: redfence.Lock(client, name, ttl=TTL, wait_max=LIMIT)


def redis_py(urls: list[str]) -> Locks:
    import redis

    client = redis.Redis.from_url(urls[0])
    return lambda name: client.lock(f"redis-py:{name}", timeout=TTL)


def python_redis_lock(urls: list[str]) -> Locks:
    import redis
    import redis_lock  # type: ignore[import-untyped]

    client = redis.Redis.from_url(urls[0])
    return lambda name: redis_lock.Lock(client, name, expire=TTL)


def pottery(urls: list[str]) -> Locks:
    import pottery
    import redis

    masters = [redis.Redis.from_url(url) for url in urls]
    return lambda name: pottery.Redlock(key=name, masters=masters, auto_release_time=TTL)


class Contender(NamedTuple):
    title: str
    locks: Callable[[list[str]], Locks]
    nodes: int


CONTENDERS = [
    Contender("redfence, 1 node", redfence, 1),
    Contender("redis-py, 1 node", redis_py, 1),
    Contender("python-redis-lock, 1 node", python_redis_lock, 1),
    Contender("pottery, 1 node", pottery, 1),
    Contender("redfence, 3 nodes", redfence, 3),
    Contender("pottery, 3 nodes", pottery, 3),
]


class Scene(NamedTuple):
    title: str
    processes: int
    threads: int


SCENES = [
    Scene("one task", 1, 1),
    Scene("16 threads on one resource", 1, 16),
    Scene("2 processes on one resource", 2, 1),
]


class Result(NamedTuple):
    rate: float
    """Pairs a second, of all participants."""
    least: float
    """The pairs of the participant with the fewest, over those of the average one: 1 where all have as many."""
    overlaps: int


def take_part(
    locks: Callable[[list[str]], Locks],
    urls: list[str],
    name: str,
    scene: Scene,
    seconds: float,
    barrier: Any,
    inside: Any,
    results: Any,
) -> None:
    """One process with its threads. Sends (pairs, overlaps) for each thread."""
    made = locks(urls)
    with made(f"own:{os.getpid()}"):
        pass
    done: list[tuple[int, int]] = []

    def work() -> None:
        lock = made(name)
        pairs = overlaps = 0
        start.wait(LIMIT)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with lock:
                overlaps += inside.value != 0
                inside.value = 1
                # Whether it counts is known before the others may go on.
                pairs += time.monotonic() < end
                inside.value = 0
        done.append((pairs, overlaps))

    start = threading.Barrier(scene.threads, action=lambda: barrier.wait(LIMIT))
    threads = [threading.Thread(target=work) for _ in range(scene.threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put(done)


def measure(contender: Contender, urls: list[str], scene: Scene, seconds: float) -> Result:
    context = multiprocessing.get_context("spawn")
    barrier, inside, results = context.Barrier(scene.processes), context.RawValue("i", 0), context.SimpleQueue()
    # What an earlier measurement left behind is not met.
    name = f"shared:{uuid.uuid4()}"
    arguments = (contender.locks, urls[: contender.nodes], name, scene, seconds, barrier, inside, results)
    processes: list[SpawnProcess] = [context.Process(target=take_part, args=arguments) for _ in range(scene.processes)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(LIMIT)
        if process.exitcode != 0:
            for other in processes:
                other.kill()
            raise SystemExit(f"{contender.title}, {scene.title}: a participant ended with {process.exitcode}")
    done = [pair for _ in processes for pair in results.get()]
    if len(done) != scene.processes * scene.threads:
        raise SystemExit(f"{contender.title}, {scene.title}: a thread failed")
    pairs = [count for count, _ in done]
    total = sum(pairs)
    least = min(pairs) * len(pairs) / total if total else 0.0
    return Result(total / seconds, least, sum(overlaps for _, overlaps in done))


def table(scene: Scene, results: dict[str, list[Result]]) -> None:
    print(f"\n| {scene.title} | pairs/s | least to most | fewest of one | redfence is |")
    print("|---|--:|--:|--:|--:|")
    for contender in CONTENDERS:
        mine = results[contender.title]
        rates = [one.rate for one in mine]
        least = statistics.median(one.least for one in mine)
        ours = [one.rate for one in results["redfence, 1 node" if contender.nodes == 1 else "redfence, 3 nodes"]]
        ratios = [our / rate for our, rate in zip(ours, rates) if rate]
        ratio = "" if contender.locks is redfence else f"{statistics.median(ratios):.1f} x" if ratios else "no pairs"
        spread = f"{min(rates):,.0f} to {max(rates):,.0f}"
        print(f"| {contender.title} | {statistics.median(rates):,.0f} | {spread} | {least:.0%} | {ratio} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="one short round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of one measurement")
    options = parser.parse_args()
    rounds, seconds = (1, 0.3) if options.smoke else (options.rounds, options.seconds)
    if rounds < 1 or not seconds > 0:
        parser.error("--rounds is to be 1 or more, and --seconds more than 0")
    load = os.getloadavg()[0]
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {load:.1f} before; Python {platform.python_version()};")
    print(f"{rounds} rounds, {seconds} s each. `fewest of one`: 100% where every participant had as many pairs.")
    results: dict[Scene, dict[str, list[Result]]] = {scene: {one.title: [] for one in CONTENDERS} for scene in SCENES}
    with servers(3) as started:
        urls = [server.url for server in started]
        for number in range(rounds):
            shift = number % len(CONTENDERS)
            for scene in SCENES:
                for contender in CONTENDERS[shift:] + CONTENDERS[:shift]:
                    results[scene][contender.title].append(measure(contender, urls, scene, seconds))
    for scene in SCENES:
        table(scene, results[scene])
    print(f"\nload {os.getloadavg()[0]:.1f} after")
    for scene in SCENES:
        for title, many in results[scene].items():
            for one in many:
                if one.overlaps or not one.rate:
                    said = f"{scene.title}, {title}: {one.rate:.0f} pairs/s, two holders at once {one.overlaps} times"
                    if title.startswith("redfence"):
                        raise SystemExit(said)
                    print(said)


if __name__ == "__main__":
    main()
