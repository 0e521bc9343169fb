"""A gateway in memory that knows batches, behind the client's own transport."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from typing import Any

import httpx2
from pydantic import SecretStr

from cli.client import Gateway
from cli.settings import CommandLineSettings
from tests.fakes.gateway import KEY, problem


@dataclass
class FakeBatches:
    """Answers as the gateway does.

    `known` are the hashes that the tenant has already, `failing` the names whose documents fail;
    `refused` is told a call's file names and says whether they are too large; `before` is asked
    before each call and may raise.
    """

    known: set[str] = field(default_factory=set)
    failing: set[str] = field(default_factory=set)
    refused: Callable[[list[str]], bool] = lambda _: False
    before: Callable[[httpx2.Request], object] = lambda _: None
    looks: int = 1
    batches: dict[str, dict[str, Any]] = field(default_factory=dict)
    entries: dict[str, dict[str, str]] = field(default_factory=dict)
    """By batch the names of files by key."""
    uploads: list[list[str]] = field(default_factory=list)
    said: list[dict[str, Any]] = field(default_factory=list)

    def opened(self) -> Gateway:
        """A client of this gateway that never waits."""
        settings = CommandLineSettings(
            _env_file=None, gateway_url="http://gateway.test", api_key=SecretStr(KEY)
        )
        transport = httpx2.MockTransport(self.answer)
        return Gateway(settings, transport=transport, sleep=lambda _: None)

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        """The answer to one call."""
        request.read()
        self.before(request)
        path, query = request.url.path, request.url.params
        if path == "/v1/documents":
            where = json.loads(query.get("where", "null"))
            asked = where["sha256"]["in"] if where else list(self.known)
            return _page([{"sha256": one} for one in asked if one in self.known])
        if path == "/v1/batches":
            return self._all(request)
        batch_id, _, part = path.removeprefix("/v1/batches/").partition("/")
        return self._one(self.batches[batch_id], part, request)

    def _all(self, request: httpx2.Request) -> httpx2.Response:
        if request.method == "POST":
            return self._made(json.loads(request.content))
        states = request.url.params.get_list("state")
        found = [one for one in self.batches.values() if not states or one["state"] in states]
        return _page([_counted(one) for one in reversed(found)])

    def _one(self, batch: dict[str, Any], part: str, request: httpx2.Request) -> httpx2.Response:
        if request.method == "POST":
            adds = part == "documents"
            return self._added(batch, request) if adds else self._changed(batch, part)
        if part == "documents":
            entries = self.entries[batch["batch_id"]]
            keys = request.url.params.get_list("key")
            return _page([{"path": entries[key]} for key in keys if key in entries])
        if part == "results":
            return httpx2.Response(200, content=b'{"ordinal":1}\n')
        return httpx2.Response(200, json=self._looked_at(batch))

    def _made(self, body: dict[str, Any]) -> httpx2.Response:
        batch_id = f"batch_{len(self.batches) + 1}"
        self.entries[batch_id] = {}
        self.batches[batch_id] = {
            "batch_id": batch_id,
            "state": "open",
            "name": body["name"],
            "metadata": body["metadata"],
            "created_at": "2026-11-01T08:00:00Z",
            "listing": 0,
            "documents": 0,
            "failed": 0,
            "looks": 0,
        }
        return _done(batch_id)

    def _added(self, batch: dict[str, Any], request: httpx2.Request) -> httpx2.Response:
        if batch["state"] != "open":
            return problem(409, "batch_closed", "It is closed.")
        fields, names = _form(request)
        if self.refused(names):
            return problem(413, "too_large", "It is too large.")
        self.uploads.append(names)
        self.said.append(json.loads(fields["defaults"]))
        entries = self.entries[batch["batch_id"]]
        entries.update({one["key"]: one["path"] for one in json.loads(fields["manifest"])})
        batch["documents"] = len(entries)
        batch["failed"] = len(self.failing & set(entries.values()))
        return _done(batch["batch_id"])

    def _changed(self, batch: dict[str, Any], verb: str) -> httpx2.Response:
        if verb == "retry":
            self.failing, batch["failed"] = set(), 0
        batch["state"] = "cancelled" if verb == "cancel" else "closed"
        return _done(batch["batch_id"])

    def _looked_at(self, batch: dict[str, Any]) -> dict[str, Any]:
        batch["looks"] += 1
        if batch["state"] == "closed" and batch["looks"] > self.looks:
            batch["state"] = "completed"
        return _counted(batch)


def _counted(batch: dict[str, Any]) -> dict[str, Any]:
    """Returns: a batch as the gateway shows it."""
    ended = batch["state"] == "completed"
    failed, count = batch["failed"], batch["documents"]
    example = {"path": "b.txt", "document_id": "doc_1", "detail": "It has no pages."}
    return {
        **batch,
        "counts": {
            "queued": 0 if ended else count,
            "processing": 0,
            "completed": count - failed if ended else 0,
            "failed": failed if ended else 0,
            "cancelled": 0,
        },
        "by_type": {"invoice": count - failed} if ended and count > failed else {},
        "failures": [{"code": "no_pages", "count": failed, "example": example}]
        if ended and failed
        else [],
        "rate_per_minute": 30.0,
        "time_left_s": None if ended else {"low": 100.0, "high": 300.0},
        "time_left_unknown": None,
    }


def _done(batch_id: str) -> httpx2.Response:
    answer = {"batch_id": batch_id, "status": "completed", "status_url": "/v1/requests/1"}
    return httpx2.Response(200, json=answer)


def _page(items: list[dict[str, Any]]) -> httpx2.Response:
    return httpx2.Response(200, json={"items": items, "next_cursor": None, "has_more": False})


def _form(request: httpx2.Request) -> tuple[dict[str, str], list[str]]:
    """Returns: the texts of a form, and the names of its files."""
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    fields, names = {}, []
    for part in message_from_bytes(head + request.content).get_payload():
        assert isinstance(part, Message)
        filename = part.get_filename()
        if filename is None:
            name = part.get_param("name", header="content-disposition")
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)
            fields[str(name)] = content.decode()
        else:
            names.append(filename)
    return fields, names
