"""The header ``Fencing-Token``, for servers (WSGI and ASGI) and for clients."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, NamedTuple

from .. import _core
from .._errors import Refused, StaleToken
from . import _Leased, offered

HEADER = "Fencing-Token"
_KEY = "redfence.presented"
_TYPE = "application/problem+json"

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]
WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Presented(NamedTuple):
    """A token as a request presents it. It was only read: admit it in the transaction that writes."""

    resource: str
    token: int

    @classmethod
    def of(cls, request: MutableMapping[str, Any]) -> Presented:
        """What the middleware has read: `request` is the WSGI environment or the ASGI scope."""
        presented: Presented = request[_KEY]
        return presented

    def token_for(self, resource: str) -> int:
        """The token, if it is for `resource`; else raises `Refused` (400)."""
        return _core.read_header([header(self.resource, self.token).encode()], resource)[1]


def header(resource: str, token: int) -> str:
    """The value of the header."""
    return _core.write_header(*offered(resource, token))


def headers_of(lease: _Leased) -> dict[str, str]:
    """The header of a request under `lease`. Raises `LostError` once the lease is over: send nothing then."""
    lease.check()
    return {HEADER: header(lease.name, lease.token)}


def raise_for_problem(body: bytes) -> None:
    """For clients: raises `StaleToken` or `Refused` if `body`, of an answer, is a refusal of a fencing token."""
    problem = _core.read_problem(body)
    if problem is None:
        return
    status, message, resource, presented, highest = problem
    if resource is not None and presented is not None and highest is not None:
        raise StaleToken(resource, presented, highest)
    raise Refused(message, status=status, problem=body.decode("utf-8", "replace"))


class WsgiToken:
    """Middleware: reads the token of each request for the handler, `Presented.of(environ)`, and compares nothing.

    `route(path)` names the resource that a request writes; a token of another is refused. None for a request that needs
    no token. Without `route` every request needs one, of any resource. `StaleToken` raised by the handler before its
    answer begins becomes a 412.
    """

    def __init__(self, app: WsgiApp, route: Callable[[str], str | None] | None = None) -> None:
        self.app = app
        self.route = route

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        # A server joins a header that is there twice with a comma, which the grammar refuses.
        value = environ.get("HTTP_FENCING_TOKEN")
        values = [] if value is None else [value.encode("latin-1")]
        path = environ.get("PATH_INFO", "").encode("latin-1").decode("utf-8", "replace")
        try:
            presented = _read(self.route, path, values)
            if presented is not None:
                environ[_KEY] = presented
            return self.app(environ, start_response)
        except (Refused, StaleToken) as error:
            status, body = _problem(error)
            # With the exception, it takes the place of an answer of which nothing was sent.
            start_response(f"{status} {_REASONS.get(status, 'Refused')}", _headers(body), sys.exc_info())
            return [body]


class AsgiToken:
    """As `WsgiToken`, for ASGI: `Presented.of(scope)`."""

    def __init__(self, app: AsgiApp, route: Callable[[str], str | None] | None = None) -> None:
        self.app = app
        self.route = route

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        begun = False

        async def seen(message: MutableMapping[str, Any]) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            values = [value for name, value in scope["headers"] if name == b"fencing-token"]
            presented = _read(self.route, scope["path"], values)
            if presented is not None:
                scope = {**scope, _KEY: presented}
            await self.app(scope, receive, seen)
        except (Refused, StaleToken) as error:
            if begun:
                raise
            status, body = _problem(error)
            headers = [(name.lower().encode(), value.encode()) for name, value in _headers(body)]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})


_REASONS = {400: "Bad Request", 412: "Precondition Failed", 428: "Precondition Required"}


def _read(route: Callable[[str], str | None] | None, path: str, values: list[bytes]) -> Presented | None:
    resource = None
    if route is not None:
        resource = route(path)
        if resource is None:
            return None
    return Presented(*_core.read_header(values, resource))


def _problem(error: Refused | StaleToken) -> tuple[int, bytes]:
    if isinstance(error, StaleToken):
        status, problem = _core.stale(error.resource, error.token, error.highest)
        return status, problem.encode()
    return error.status, error.problem.encode()


def _headers(body: bytes) -> list[tuple[str, str]]:
    return [("Content-Type", _TYPE), ("Cache-Control", "no-store"), ("Content-Length", str(len(body)))]
