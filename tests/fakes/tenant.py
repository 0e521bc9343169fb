"""A tenant in memory behind the client's own transport: collections, documents, document types."""

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any

import httpx2
from pydantic import SecretStr

from cli.client import Gateway
from cli.settings import TenantSettings
from tests.fakes.gateway import KEY, problem

_FIELD = re.compile(rb'name="(\w+)"\r\n\r\n(.*?)\r\n--', re.DOTALL)
_FILE = re.compile(rb'name="file"; filename="([^"]*)"(?:\r\n[^\r]+)*\r\n\r\n(.*)\r\n--', re.DOTALL)
_AT = "2026-11-01T08:00:00.000000Z"
PAGE = 2


@dataclass
class FakeTenant:
    """Answers as the gateway does to a whole-tenant key; calls with a known key are not repeated.

    `refused` are bodies that no collection takes, by their `n`; `first` are answers given before
    all others; after `lasting` calls it does not answer any more.
    """

    gpt_id: str = "demo"
    collections: dict[str, dict[str, Any]] = field(default_factory=dict)
    objects: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    documents: dict[str, dict[str, Any]] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    types: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: set[Any] = field(default_factory=set)
    first: list[httpx2.Response] = field(default_factory=list)
    lasting: int = 10_000
    known: dict[str, tuple[Any, httpx2.Response]] = field(default_factory=dict)
    calls: list[httpx2.Request] = field(default_factory=list)

    def opened(self) -> Gateway:
        """A client of this tenant that never waits."""
        settings = TenantSettings(
            _env_file=None, gateway_url="http://gateway.test", api_key=SecretStr(KEY)
        )
        return Gateway(
            settings,
            transport=httpx2.MockTransport(self.answer),
            sleep=lambda _: None,
        )

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        """The answer to one call."""
        request.read()
        self.calls.append(request)
        if len(self.calls) > self.lasting:
            raise httpx2.ConnectError("gone")
        if self.first:
            return self.first.pop(0)
        key = request.headers.get("idempotency-key")
        if key is None:
            return self._answer(request)
        key = f"{key} of {_subject(request)}"
        whole = (request.method, request.url.path, _without_boundary(request))
        if key in self.known and self.known[key][0] != whole:
            return problem(422, "idempotency_key_reused", "other body")
        if key not in self.known:
            self.known[key] = (whole, self._answer(request))
        return self.known[key][1]

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path
        own = f"/v1/gpts/{self.gpt_id}/collections"
        if path.startswith(own):
            return self._of_collections(request, path.removeprefix(own).strip("/"))
        if path.startswith("/v1/document-types"):
            return self._of_types(request, path.removeprefix("/v1/document-types").strip("/"))
        if path.startswith("/v1/documents"):
            return self._of_documents(request, path.removeprefix("/v1/documents").strip("/"))
        return problem(404, "not_found", "there is no such GPT")

    def _of_collections(self, request: httpx2.Request, rest: str) -> httpx2.Response:
        name, _, part = rest.partition("/")
        if not name and request.method == "GET":
            return _page(request, [self.collections[each] for each in sorted(self.collections)])
        if not name:
            return httpx2.Response(200, json=self.define(**json.loads(request.content)))
        if name not in self.collections:
            return problem(404, "not_found", "there is no such collection")
        if part == "objects":
            return _page(request, self.objects[name])
        operations, subject = json.loads(request.content)["operations"], _subject(request)
        results = [self._done(name, one, subject) for one in operations]
        return httpx2.Response(200, json={"atomic": False, "failed": 0, "results": results})

    def define(self, name: str, **settings: Any) -> dict[str, Any]:
        """Create a collection or change it; returns it."""
        known = ("description", "schema", "search", "keep_versions", "max_objects", "max_bytes")
        empty = {**dict.fromkeys((*known, "default_ttl_s")), "keep_versions": 0, "indexes": {}}
        kept = {"name": name, **empty, **self.collections.get(name, {}), **settings}
        self.collections[name] = {**kept, "object_count": len(self.objects.get(name, []))}
        self.objects.setdefault(name, [])
        return self.collections[name]

    def put(
        self,
        name: str,
        body: dict[str, Any],
        key: str | None = None,
        subject: str | None = None,
        **more: Any,
    ) -> None:
        """Add an object to a collection, or replace the end user's one of that key."""
        if name not in self.collections:
            self.define(name)
        named = [
            one for one in self.objects[name] if (one["key"], one["subject"]) == (key, subject)
        ]
        there = [] if key is None else named
        if there:
            there[0]["body"] = body
            return
        made = {"id": f"obj_{len(self.objects[name])}", "key": key, "version": 1, "body": body}
        times = {"created_at": _AT, "updated_at": _AT, "expires_at": None}
        self.objects[name].append({**made, "subject": subject, **times, **more})

    def _done(self, name: str, one: dict[str, Any], subject: str | None) -> dict[str, Any]:
        if one["body"].get("n") in self.refused:
            errors = [{"pointer": "/body/n", "detail": "is refused"}]
            why = {"code": "schema_mismatch", "detail": "It does not fit.", "errors": errors}
            return {"status": 422, "id": None, "key": None, "version": None, "problem": why}
        more = {"ttl_s": one["ttl_s"]} if "ttl_s" in one else {}
        self.put(name, one["body"], one.get("key"), subject, **more)
        return {"status": 201, "id": "obj", "key": None, "version": 1, "problem": None}

    def _of_types(self, request: httpx2.Request, name: str) -> httpx2.Response:
        if request.method == "PUT":
            self.types[name] = json.loads(request.content)
            state = {"status": "completed", "result": {}, "status_url": "/v1/requests/1"}
            return httpx2.Response(200, json=state)
        if name:
            return httpx2.Response(200, json={"name": name, "definition": self.types[name]})
        items = [{"name": each, "source": "own"} for each in self.types]
        return httpx2.Response(
            200, json={"items": [{"name": "invoice", "source": "built-in"}, *items]}
        )

    def _of_documents(self, request: httpx2.Request, rest: str) -> httpx2.Response:
        document_id, _, part = rest.partition("/")
        if not document_id and request.method == "GET":
            return _page(request, list(self.documents.values())[::-1])
        if not document_id:
            return self._taken(request)
        found = self.documents.get(document_id)
        if found is None or _subject(request) not in {None, found["subject"]}:
            return problem(404, "not_found", "there is no such document")
        if request.method == "PATCH":
            given = json.loads(request.content)["fields"]
            found["corrections"] += [{"name": name, "value": given[name]} for name in given]
            state = {"status": "completed", "result": {}, "status_url": "/v1/requests/1"}
            return httpx2.Response(200, json=state)
        if part == "content":
            return httpx2.Response(200, content=self.contents[document_id])
        runs = [{"requested_type": found["requested_type"], "current": True}]
        parts = {"": found, "fields": found, "runs": {"items": runs}}
        return httpx2.Response(200, json=parts[part])

    def _taken(self, request: httpx2.Request) -> httpx2.Response:
        found = _FILE.search(request.content)
        assert found is not None, request.content
        fields = {name.decode(): value.decode() for name, value in _FIELD.findall(request.content)}
        fields["metadata"] = json.loads(fields.get("metadata", "{}"))
        made = self.upload(found[1].decode(), found[2], subject=_subject(request), **fields)
        state = {"request_id": "req_1", "document_id": made, "status": "accepted"}
        return httpx2.Response(202, json=state)

    def upload(self, filename: str, content: bytes, **more: Any) -> str:
        """Add a document that has been worked off; returns its id."""
        document_id = f"doc_{self.gpt_id}_{len(self.documents) + 1}"
        self.contents[document_id] = content
        self.documents[document_id] = {
            "document_id": document_id,
            "subject": more.get("subject"),
            "filename": filename,
            "title": more.get("title"),
            "metadata": more.get("metadata", {}),
            "status": more.get("status", "completed"),
            "parent_id": more.get("parent_id"),
            "requested_type": more.get("type"),
            "corrections": list(more.get("corrections", [])),
            "sha256": hashlib.sha256(content).hexdigest() if content else None,
            "problem": None,
            "timeline": [],
            "links": {},
        }
        return document_id


def _subject(request: httpx2.Request) -> str | None:
    found: str | None = request.url.params.get("subject")
    return found


def _page(request: httpx2.Request, items: list[Any]) -> httpx2.Response:
    start = int(request.url.params.get("cursor", "0"))
    following = start + PAGE if start + PAGE < len(items) else None
    page = {
        "items": items[start : start + PAGE],
        "next_cursor": None if following is None else str(following),
        "has_more": following is not None,
    }
    return httpx2.Response(200, json=page)


def _without_boundary(request: httpx2.Request) -> bytes:
    kind = request.headers.get("content-type", "")
    boundary = kind.partition("boundary=")[2].encode()
    return request.content.replace(boundary, b"") if boundary else request.content
