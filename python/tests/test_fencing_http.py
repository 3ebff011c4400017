"""The header, for servers and clients."""

import asyncio
import http.client
import json
import threading
import wsgiref.simple_server
import wsgiref.validate
from collections.abc import Callable, Iterable, MutableMapping
from typing import Any

import pytest

import redfence
from redfence import StaleToken
from redfence.fencing.http import AsgiToken, Presented, WsgiToken, header, headers_of, raise_for_problem


class Quiet(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def route(path: str) -> str | None:
    return path.strip("/") if path.startswith("/orders/") else None


def handler(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    if environ["PATH_INFO"] == "/health":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"well"]
    presented = Presented.of(environ)
    if presented.token < 10:
        raise StaleToken(presented.resource, presented.token, 10)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{presented.resource} {presented.token}".encode()]


def ask(port: int, path: str, *headers: tuple[str, str]) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.putrequest("PUT", path)
    for name, value in headers:
        connection.putheader(name, value)
    connection.putheader("Content-Length", "0")
    connection.endheaders()
    response = connection.getresponse()
    body = response.read()
    if response.status >= 400:
        assert response.getheader("Content-Type") == "application/problem+json"
        assert json.loads(body)["status"] == response.status
    connection.close()
    return response.status, body


def test_wsgi_gives_the_token_to_the_handler() -> None:
    app = wsgiref.validate.validator(WsgiToken(wsgiref.validate.validator(handler), route))
    with wsgiref.simple_server.make_server("127.0.0.1", 0, app, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            port, name = server.server_port, "Fencing-Token"
            lock = redfence.Lock(redfence.embedded(1), "orders/42")
            with lock as lease:
                status, body = ask(port, "/orders/42", *headers_of(lease).items())
                assert (status, body) == (200, f"orders/42 {lease.token}".encode())
            with pytest.raises(redfence.LostError):
                headers_of(lease)
            assert ask(port, "/health") == (200, b"well")
            assert ask(port, "/orders/42")[0] == 428
            assert ask(port, "/orders/43", (name, header("orders/42", 11)))[0] == 400
            assert ask(port, "/orders/42", (name, "42"))[0] == 400
            assert ask(port, "/orders/42", (name, header("orders/42", 11)), (name, header("orders/42", 12)))[0] == 400
            status, body = ask(port, "/orders/42", (name, header("orders/42", 9)))
            assert status == 412
            with pytest.raises(StaleToken) as stale:
                raise_for_problem(body)
            assert (stale.value.resource, stale.value.token, stale.value.highest) == ("orders/42", 9, 10)
        finally:
            server.shutdown()
            thread.join()


def test_asgi_gives_the_token_to_the_handler() -> None:
    async def app(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        presented = Presented.of(scope)
        assert presented.token_for("orders/42") == presented.token
        if presented.token < 10:
            raise StaleToken(presented.resource, presented.token, 10)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if presented.token == 11:
            raise StaleToken(presented.resource, presented.token, 12)
        await send({"type": "http.response.body", "body": b"ok"})

    def call(path: str, *values: bytes) -> list[MutableMapping[str, Any]]:
        sent: list[MutableMapping[str, Any]] = []

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        headers = [(b"fencing-token", value) for value in values]
        asyncio.run(AsgiToken(app, route)({"type": "http", "path": path, "headers": headers}, receive, send))
        return sent

    async def receive() -> MutableMapping[str, Any]:
        raise AssertionError("it reads no body")

    value = header("orders/42", 12).encode()
    assert [message.get("status", message.get("body")) for message in call("/orders/42", value)] == [200, b"ok"]
    for path, values, status in [
        ("/orders/42", [], 428),
        ("/orders/41", [value], 400),
        ("/orders/42", [value, value], 400),
        ("/orders/42", [header("orders/42", 9).encode()], 412),
    ]:
        begin, end = call(path, *values)
        assert begin["status"] == status == json.loads(end["body"])["status"]
        assert (b"content-type", b"application/problem+json") in begin["headers"]
    # An answer that has begun cannot be taken back.
    with pytest.raises(StaleToken):
        call("/orders/42", header("orders/42", 11).encode())


def test_asgi_leaves_other_protocols_alone() -> None:
    seen: list[str] = []

    async def app(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    asyncio.run(AsgiToken(app)({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    assert seen == ["lifespan"]


def test_names_that_are_not_ascii_and_answers_of_others() -> None:
    assert header("Köln", 7) == 'resource=%"K%c3%b6ln"; token="7"'
    with pytest.raises(redfence.NameError):
        header("", 7)
    for other in (b"", b"Precondition failed", b'{"type": "about:blank"}'):
        raise_for_problem(other)


def test_a_refusal_has_the_status_of_the_answer() -> None:
    for values, status in ([], 428), ([b"nonsense"], 400):
        with pytest.raises(redfence.Refused) as refused:
            redfence._core.read_header(values, None)
        with pytest.raises(redfence.Refused) as read:
            raise_for_problem(refused.value.problem.encode())
        assert read.value.status == refused.value.status == status


def test_a_header_of_what_is_no_token_is_refused() -> None:
    wrong: Any
    for wrong in (0, -1, 2**53, "7", None, 1.0, True):
        with pytest.raises((TypeError, ValueError), match="token is .*: it has to be the token of a lease"):
            header("orders/42", wrong)
    for wrong in (None, 7, b"r"):
        with pytest.raises(TypeError, match="resource is .*: it has to be a str"):
            header(wrong, 7)
