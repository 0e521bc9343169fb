"""Errors that nobody expected: what the client is told, what the log is told, and nothing else."""

import asyncio
import json
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Message
from structlog.testing import capture_logs

from gateway.app import create_app
from gateway.settings import GatewaySettings

INSIDE = "password=hunter2 at /srv/secret.py"
TOLD = ("hunter2", "Traceback", "RuntimeError", "secret.py", 'File "')


def fail(*_: object, **__: object) -> None:
    """What is broken."""
    raise RuntimeError(INSIDE)


class Broken:
    """Stands for the clients that handlers use: whatever is done with one fails."""

    def __getattr__(self, _: str) -> Callable[..., None]:
        return fail


async def begins_and_fails(_: Request) -> Response:
    """An answer that ends in the middle."""

    def pieces() -> Iterable[bytes]:
        yield b"a piece"
        fail()

    return StreamingResponse(pieces())


@pytest.fixture
def app(nowhere: GatewaySettings) -> FastAPI:
    """The whole application, of which every client is broken."""
    made = create_app(nowhere)
    made.router.routes.append(Route("/begins", begins_and_fails))
    made.state.gateway = SimpleNamespace(keys=Broken(), events=Broken(), settings=nowhere)
    return made


@pytest.fixture
def client(app: FastAPI) -> httpx2.AsyncClient:
    """A client of it, which sees what was sent and not what was raised."""
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    sent = {"Authorization": "Bearer something", "X-Correlation-ID": "mine"}
    return httpx2.AsyncClient(transport=transport, base_url="http://test", headers=sent)


def check_problem(problem: dict[str, Any], path: str) -> None:
    """Check the whole of what a client is told."""
    detail = "An unexpected error; it has been logged, trying again may help."
    assert problem == {
        "type": "/problems/internal-error",
        "title": "Internal error",
        "status": 500,
        "detail": detail,
        "code": "internal_error",
        "instance": path,
    }


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/documents"),
        ("GET", "/v1/objects/obj_1"),
        ("POST", "/v1/search"),
        ("POST", "/v1/documents"),
        ("PUT", "/v1/gpts/demo/collections/diary/objects/by-key/x"),
        ("GET", "/v1/events/stream"),
    ],
)
async def test_an_unexpected_error_is_a_problem_without_its_cause(
    client: httpx2.AsyncClient, method: str, path: str
) -> None:
    """500 as any other problem, with the headers of any answer; the cause is in the log alone."""
    with capture_logs() as logs:
        answer = await client.request(method, path, json={})
    assert answer.status_code == 500
    check_problem(answer.json(), path)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not [one for one in TOLD if one in f"{answer.text} {answer.headers}"]
    [unexpected] = [one for one in logs if one["event"] == "unexpected error"]
    assert unexpected["exc_info"]
    [line] = [one for one in logs if one["event"] == "request"]
    assert line["status"] == 500
    assert answer.headers["x-correlation-id"]


async def test_an_answer_that_began_is_cut_off(app: FastAPI) -> None:
    """What was sent cannot be taken back: the server ends the connection, and adds nothing."""
    sent: list[Message] = []

    async def receive() -> Message:
        # The client stays, and says nothing.
        await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/begins",
        "raw_path": b"/begins",
        "query_string": b"",
        "headers": [],
        "app": app,
    }
    with capture_logs() as logs, pytest.raises(RuntimeError, match="hunter2"):
        await app(scope, receive, send)
    assert [one.get("status") for one in sent] == [200, None]
    assert sent[1]["body"] == b"a piece"
    assert sent[1]["more_body"]
    assert "unexpected error" in {one["event"] for one in logs}


async def test_a_socket_is_refused_with_a_problem_without_its_cause(app: FastAPI) -> None:
    """Before it is accepted it is an HTTP answer like any other."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "websocket",
        "path": "/v1/ws",
        "raw_path": b"/v1/ws",
        "query_string": b"",
        "headers": [],
        "subprotocols": [],
        "extensions": {"websocket.http.response": {}},
        "app": app,
    }
    with capture_logs() as logs:
        await app(scope, receive, send)
    start, *bodies = sent
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 500)
    whole = b"".join(one["body"] for one in bodies).decode()
    check_problem(json.loads(whole), "/v1/ws")
    assert not [one for one in TOLD if one in whole]
    assert "unexpected error" in {one["event"] for one in logs}
