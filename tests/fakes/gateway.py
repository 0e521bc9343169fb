"""A gateway in memory, behind the client's own transport; documents end after some looks."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

import httpx2
from pydantic import SecretStr

from cli.client import Gateway
from cli.settings import CommandLineSettings

KEY = "k" * 16
_FIELD = re.compile(rb'name="(\w+)"\r\n\r\n(.*?)\r\n--', re.DOTALL)
_FILE = re.compile(rb'name="file"; filename="([^"]*)"(?:\r\n[^\r]+)*\r\n\r\n(.*)\r\n--', re.DOTALL)


@dataclass
class FakeGateway:
    """Answers as the gateway does.

    `outcome` is the final status by file name, `completed` where it is not there; `looks` is how
    often a document is asked for before it is final; `first` are answers given before all others;
    a `busy` one answers nothing else than that.
    """

    outcome: dict[str, str] = field(default_factory=dict)
    looks: int = 1
    first: list[httpx2.Response] = field(default_factory=list)
    busy: bool = False
    documents: dict[str, dict[str, Any]] = field(default_factory=dict)
    by_key: dict[str, str] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)
    calls: list[httpx2.Request] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    hits: list[dict[str, Any]] = field(default_factory=list)

    def opened(self, *, patience_s: float = 300) -> Gateway:
        """A client of this gateway that never waits."""
        settings = CommandLineSettings(
            _env_file=None, gateway_url="http://gateway.test", api_key=SecretStr(KEY)
        )
        return Gateway(
            settings,
            patience_s=patience_s,
            transport=httpx2.MockTransport(self.answer),
            sleep=self.slept.append,
            tell=self.told.append,
        )

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        """The answer to one call."""
        request.read()
        self.calls.append(request)
        if self.busy:
            return problem(503, "unavailable", "later")
        if self.first:
            return self.first.pop(0)
        path = request.url.path
        if path == "/v1/search":
            page = {"notices": [], "items": self.hits, "has_more": False}
            return httpx2.Response(200, json=page)
        if path == "/v1/documents":
            return self._taken(request) if request.method == "POST" else self._list()
        document_id, _, part = path.removeprefix("/v1/documents/").partition("/")
        document = self.documents.get(document_id)
        if document is None or document["status"] == "deleted":
            return problem(404, "deleted" if document else "not_found", "there is no document")
        if request.method == "DELETE":
            document["status"] = "deleted"
            answer = {"status": "completed", "status_url": "/v1/requests/1"}
        else:
            answer = FIELDS if part == "fields" else self._looked_at(document_id)
        return httpx2.Response(200, json=answer)

    def _taken(self, request: httpx2.Request) -> httpx2.Response:
        key = request.headers["idempotency-key"]
        if key not in self.by_key:
            body = request.content
            found = _FILE.search(body)
            assert found is not None, body
            fields = {name.decode(): value.decode() for name, value in _FIELD.findall(body)}
            number = len(self.documents) + 1
            self.by_key[key] = f"doc_{number}"
            self.documents[f"doc_{number}"] = detail(
                f"doc_{number}", found[1].decode(), json.loads(fields.get("metadata", "{}"))
            )
        document_id = self.by_key[key]
        state = {"request_id": "req_1", "document_id": document_id, "status": "accepted"}
        return httpx2.Response(202, json=state)

    def _list(self) -> httpx2.Response:
        there = [one for one in self.documents.values() if one["status"] != "deleted"]
        items = [one for one in there if one["metadata"].get("sample")]
        return httpx2.Response(200, json={"items": items, "next_cursor": None, "has_more": False})

    def _looked_at(self, document_id: str) -> dict[str, Any]:
        document = self.documents[document_id]
        self.asked[document_id] = self.asked.get(document_id, 0) + 1
        if self.asked[document_id] > self.looks and document["status"] == "processing":
            document["status"] = self.outcome.get(document["filename"], "completed")
            document["timeline"][-1]["state"] = "done"
            if document["status"] == "failed":
                document["problem"] = {"detail": "It has no pages.", "code": "no_pages"}
        return document


def detail(document_id: str, filename: str, metadata: dict[str, Any]) -> dict[str, Any]:
    """A document as the gateway shows it."""
    step = {
        "stage": "parse",
        "part": 0,
        "state": "working",
        "started_at": "2026-11-01T08:00:00Z",
        "duration_ms": None,
        "attempts": 1,
        "waiting_for": None,
        "waited_ms": 0,
    }
    return {
        "document_id": document_id,
        "filename": filename,
        "title": None,
        "metadata": metadata,
        "status": "processing",
        "content_type": "text/plain",
        "subject": None,
        "size_bytes": 12,
        "page_count": 1,
        "type": "invoice",
        "type_confidence": 0.9,
        "confidence": 0.7,
        "needs_review": True,
        "fields": {"total": {"amount": "12.50", "currency": "EUR"}},
        "duplicate_of": None,
        "problem": None,
        "timeline": [step],
    }


FIELDS: dict[str, Any] = {
    "answers": {
        "total": {"value": "12.50 €", "confidence": 0.7, "place": {"page": 2}, "evidence": {}},
        "due_date": {"value": None, "confidence": 0.9, "place": None, "evidence": {}},
        "lines": [
            {"description": {"value": "Plums", "confidence": 0.5, "place": None, "evidence": {}}}
        ],
    },
    "values": {},
}


def problem(status: int, code: str, text: str) -> httpx2.Response:
    """A problem document."""
    return httpx2.Response(status, json={"detail": text, "code": code, "status": status})
