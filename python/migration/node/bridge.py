"""Makes the calls of `redlock.js`: a line of JSON for a request, a line for its answer. Ends with its input."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import redfence
from redfence import aio

_clients: dict[tuple[str, ...], redfence.Redfence] = {}


def client_of(nodes: list[str]) -> redfence.Redfence:
    urls = tuple(nodes)
    if urls not in _clients:
        _clients[urls] = redfence.Redfence(urls, max_ttl=3600.0, new_installation=True)
    return _clients[urls]


def _until(validity: float) -> int:
    """In milliseconds of the wall clock, as node-redlock has it."""
    return int((time.time() + validity) * 1000)


async def acquire(request: dict[str, Any]) -> dict[str, Any]:
    lock = aio.Lock(client_of(request["nodes"]), request["name"], ttl=request["ttl"] / 1000, renewed=False)
    if not await lock.acquire(timeout=0) or lock.lease is None:
        return {"ok": False}
    ends, token = _until(lock.lease.valid_for), lock.lease.token
    return {"ok": True, "ends": ends, "token": token, "holder": str(lock.lease.leave())}


async def extend(request: dict[str, Any]) -> dict[str, Any]:
    holder = redfence.Holder.parse(request["holder"])
    validity = await aio.extend_as(client_of(request["nodes"]), request["name"], holder, request["ttl"] / 1000)
    return {"ok": True, "ends": _until(validity)}


async def release(request: dict[str, Any]) -> dict[str, Any]:
    holder = redfence.Holder.parse(request["holder"])
    return {"ok": await aio.release_as(client_of(request["nodes"]), request["name"], holder) == "released"}


VERBS = {"acquire": acquire, "extend": extend, "release": release}


async def answer(line: str) -> None:
    request = json.loads(line)
    try:
        said = await VERBS[request["verb"]](request)
    except (redfence.AcquireError, redfence.ExtendError) as error:
        votes = [vote for vote in error.votes if vote.kind in ("failed", "silent")]
        said = {"ok": False, "failures": [f"{vote.address}: {vote.text}" for vote in votes]}
    except (redfence.LostError, redfence.Overrun):
        said = {"ok": False}
    except Exception as error:
        # Settings, names, servers that cannot be reached: no matter of trying again.
        said = {"error": str(error)}
    print(json.dumps({"id": request["id"], **said}), flush=True)


async def main() -> None:
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        task = asyncio.create_task(answer(line))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)


if __name__ == "__main__":
    asyncio.run(main())
