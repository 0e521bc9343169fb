"""Every route on which end users meet: what is called on each, by someone who knows all ids."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

WALKED = (
    "/v1/batches",
    "/v1/documents",
    "/v1/events",
    "/v1/gpts",
    "/v1/objects",
    "/v1/requests",
    "/v1/reviews",
    "/v1/search",
)
"""Beginnings of their paths."""

_COLLECTIONS = "/v1/gpts/{gpt_id}/collections"
_COLLECTION = f"{_COLLECTIONS}/{{name}}"
_OBJECTS = f"{_COLLECTION}/objects"
_BY_KEY = f"{_OBJECTS}/by-key/{{key}}"
_OBJECT = "/v1/objects/{object_id}"
_DOCUMENT = "/v1/documents/{document_id}"
_BATCH = "/v1/batches/{batch_id}"
_REVIEW = "/v1/reviews/{review_id}"


@dataclass(frozen=True)
class Step:
    """One call, by the template of its path; names in braces stand for what is known."""

    method: str
    path: str
    query: dict[str, Any] = field(default_factory=dict)
    body: Any = None
    statuses: frozenset[int] = frozenset({200, 201, 202})

    def __str__(self) -> str:
        """Returns: what tests are named by."""
        named = "&".join(f"{name}={value}" for name, value in self.query.items())
        return f"{self.method} {self.path.removeprefix('/v1')}{named and '?'}{named}"

    def call(self, known: dict[str, Any]) -> tuple[str, dict[str, Any], Any]:
        """Returns: path, parameters and body of the call."""
        return self.path.format(**known), _filled(self.query, known), _filled(self.body, known)


def _filled(value: Any, known: dict[str, Any]) -> Any:
    match value:
        case dict():
            return {name: _filled(each, known) for name, each in value.items()}
        case list():
            return [_filled(each, known) for each in value]
        case str():
            return value.format(**known)
        case _:
            return value


HIDDEN = (
    Step("GET", _OBJECT),
    Step("PUT", _OBJECT, body={"body": {}}),
    Step("PATCH", _OBJECT, body={"body": {"text": None}}),
    Step("DELETE", _OBJECT),
    Step("DELETE", _OBJECT, {"purge": True}),
    Step("GET", f"{_OBJECT}/versions"),
    Step("GET", f"{_OBJECT}/versions/{{version}}"),
    Step("POST", f"{_OBJECT}/versions/{{version}}/restore"),
    Step("GET", _BY_KEY),
    Step("DELETE", _BY_KEY),
    Step("DELETE", _BY_KEY, {"purge": True}),
    Step("GET", _DOCUMENT),
    Step("GET", f"{_DOCUMENT}/text"),
    Step("GET", f"{_DOCUMENT}/fields"),
    Step("GET", f"{_DOCUMENT}/chunks"),
    Step("GET", f"{_DOCUMENT}/runs"),
    Step("GET", f"{_DOCUMENT}/content"),
    Step("PATCH", _DOCUMENT, body={"title": "Mine"}),
    Step("DELETE", _DOCUMENT),
    Step("POST", f"{_DOCUMENT}/reprocess", body={}),
    Step("GET", _BATCH),
    Step("GET", f"{_BATCH}/documents"),
    Step("GET", f"{_BATCH}/results"),
    Step("POST", f"{_BATCH}/documents", body={"documents": [{"file_url": "https://x.test/a"}]}),
    Step("POST", f"{_BATCH}/close"),
    Step("POST", f"{_BATCH}/cancel"),
    Step("POST", f"{_BATCH}/retry"),
    Step("GET", _REVIEW),
    Step("POST", f"{_REVIEW}/decision", body={"decision": "accept"}),
    Step("POST", "/v1/document-types/receipt/try", body={"document_id": "{document_id}"}),
    Step("GET", "/v1/requests/{request_id}"),
)
"""What names one thing: 404 for everyone but its owner."""

LISTED = (
    Step("GET", _OBJECTS),
    Step("GET", _OBJECTS, {"where": '{{"text": "{word}"}}', "count": True}),
    Step("GET", f"{_COLLECTION}/changes", {"since": 0}),
    Step("GET", "/v1/documents"),
    Step("GET", "/v1/documents", {"where": '{{"status": "completed"}}'}),
    Step("GET", "/v1/batches"),
    Step("GET", "/v1/reviews"),
    Step("GET", "/v1/reviews", {"batch_id": "{batch_id}"}),
    Step("GET", "/v1/search", {"q": "{word}", "in": "documents,collections"}),
    Step("GET", "/v1/search", {"q": "a visit to a bakery", "in": "documents", "facets": "type"}),
    Step("POST", "/v1/search", body={"q": "{word}", "in": ["collections/{name}"]}),
    Step("POST", "/v1/search", body={"q": "{word}", "mode": "keyword"}),
    Step("GET", "/v1/events", {"since": 0}),
    Step("GET", "/v1/events", {"since": 0, "subject_id": "{document_id}"}),
    Step("GET", "/v1/events", {"since": 0, "batch": "{batch_id}"}),
    Step("GET", "/v1/events/stream", {"since": 0, "wait_s": 1}),
    Step("GET", "/v1/events/stream", {"since": 0, "wait_s": 1, "batch": "{batch_id}"}),
)
"""What finds many things: each of them is its reader's own."""

ENTERED = (
    Step("POST", _OBJECTS, body={"body": {}}),
    Step("PUT", f"{_OBJECTS}/by-key/{{taken}}", body={"body": {}}),
    Step("POST", f"{_COLLECTION}/batch", body={"operations": [{"op": "create", "body": {}}]}),
    Step("POST", "/v1/documents", body={"content_base64": "SGVsbG8=", "filename": "hello.txt"}),
    Step("POST", "/v1/batches", body={"close": True}),
)
"""What makes things: they are their maker's own, whatever names are taken by others."""

SHARED = (Step("GET", _COLLECTIONS), Step("GET", _COLLECTION))
"""What belongs to the GPT: its end users may read it."""

WITHHELD = (
    Step("POST", _COLLECTIONS, body={"name": "{name}"}),
    Step("PATCH", _COLLECTION, body={"keep_versions": 0}),
    Step("DELETE", _COLLECTION),
)
"""What belongs to the GPT, and only a key of the whole of it may change."""


def walked() -> set[tuple[str, str]]:
    """Returns: the operations of these paths that the steps call, by method and template."""
    steps: Iterable[Step] = (*HIDDEN, *LISTED, *ENTERED, *SHARED, *WITHHELD)
    called = {(step.method, step.path.replace("{taken}", "{key}")) for step in steps}
    return {(method, path) for method, path in called if path.startswith(WALKED)}
