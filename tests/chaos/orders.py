"""What is asked of the product, number by number: each order follows from the seed alone."""

import base64
import json
import uuid
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

_SAMPLES = Path(__file__).parents[2] / "examples" / "documents"
GPT = "demo"
COLLECTION = "chaos"
ADMIN = "admin"
#: Objects that are written again and again; each write of a batch makes objects of its own.
_OBJECTS = 12
#: Collections that come and go.
_OTHERS = 3
#: What a trigger in the database lets no object have, until the faults are over.
TROUBLE = "trouble"
BATCH = 3
STRANGER = "nobody"
BadRecord = tuple[str, bytes, dict[str, str | None], str]
"""Topic, value, changed headers, and the code of the problem that it must end with."""


class Kind(StrEnum):
    """What an order asks for."""

    UPLOAD = "upload"
    PUBLISH = "publish"
    UPDATE = "update"
    DELETE = "delete"
    REPROCESS = "reprocess"
    DEFINE = "define collection"
    PUT_OBJECT = "put object"
    MERGE_OBJECT = "merge object"
    DROP_OBJECT = "delete object"
    PUT_FOR_A_WHILE = "put object for a while"
    PUT_TROUBLE = "put object of trouble"
    WRITE_BATCH = "write batch"
    DEFINE_OTHER = "define another"
    PUT_IN_OTHER = "put in another"
    DROP_OTHER = "drop another"
    TENANT = "tenant that comes and goes"
    PING = "ping"
    BAD_UPLOAD = "bad upload"
    BAD_RECORD = "bad record"
    UNDECODABLE = "undecodable record"


#: How often each kind is asked for.
_SHARES = {
    Kind.UPLOAD: 34,
    Kind.PUBLISH: 28,
    Kind.UPDATE: 7,
    Kind.DELETE: 6,
    Kind.REPROCESS: 4,
    Kind.PUT_OBJECT: 16,
    Kind.MERGE_OBJECT: 14,
    Kind.DROP_OBJECT: 6,
    Kind.PUT_FOR_A_WHILE: 4,
    Kind.PUT_TROUBLE: 3,
    Kind.WRITE_BATCH: 5,
    Kind.DEFINE_OTHER: 3,
    Kind.PUT_IN_OTHER: 5,
    Kind.DROP_OTHER: 2,
    Kind.TENANT: 2,
    Kind.PING: 4,
    Kind.BAD_UPLOAD: 6,
    Kind.BAD_RECORD: 6,
    Kind.UNDECODABLE: 5,
}
#: Kinds that are about a collection or its objects.
STORES = frozenset(
    {Kind.DEFINE, Kind.PUT_OBJECT, Kind.MERGE_OBJECT, Kind.DROP_OBJECT, Kind.PUT_FOR_A_WHILE,
     Kind.PUT_TROUBLE, Kind.WRITE_BATCH, Kind.DEFINE_OTHER, Kind.PUT_IN_OTHER, Kind.DROP_OTHER}
)  # fmt: skip
#: Kinds that may be refused with these problems: others changed the same thing first.
MAY_FAIL = {
    Kind.MERGE_OBJECT: {"version_conflict", "not_found"},
    Kind.DROP_OBJECT: {"not_found"},
    Kind.PUT_IN_OTHER: {"not_found"},
    Kind.DROP_OTHER: {"not_found"},
}
CHANGES = frozenset({Kind.UPDATE, Kind.DELETE, Kind.REPROCESS})
#: Kinds that make a document.
MAKES = frozenset({Kind.UPLOAD, Kind.PUBLISH, Kind.BAD_UPLOAD, Kind.BAD_RECORD})
_WORDS = (
    "river bridge letter garden market engine window harvest copper winter signal paper harbour "
    "measure lantern orchard valley teacher journey thunder pocket silver meadow captain"
)


@dataclass(frozen=True)
class Order:
    """One order.

    Attributes:
        number: its place in the order of all.
        kind: what it asks for.
        expected: the code of the problem that it must end with; none where it must succeed.
        topic: where it is published; none goes over HTTP.
        value: the record's value, or the body's JSON.
        key: of its record; none is the order's own.
        headers: of its record, beside request id and tenant.
        filename: of what is uploaded.
        content: of what is uploaded.
        draw: chooses the earlier document that a change is about, from 0 to below 1.
    """

    number: int
    kind: Kind
    expected: str | None = None
    topic: str | None = None
    value: bytes = b""
    key: str | None = None
    headers: dict[str, str | None] = field(default_factory=dict)
    filename: str = ""
    content: bytes = b""
    draw: float = 0.0

    @property
    def mark(self) -> str:
        """Returns: the word that its document's text has, and no other."""
        return marked(self.number)


def marked(number: int) -> str:
    """Returns: the mark of the order of this number."""
    return f"chaos-{number:06d}"


def order(seed: int, number: int) -> Order:
    """Returns: the order of this number."""
    if number == 0:
        return Order(number, Kind.DEFINE)
    chance = Random(f"order {seed} {number}")
    [kind] = chance.choices(list(_SHARES), list(_SHARES.values()))
    match kind:
        case Kind.UPLOAD:
            name, content = _document(chance, marked(number))
            changes: dict[str, Any] = {"filename": name, "content": content}
        case Kind.PUBLISH:
            value = _inline(*_document(chance, marked(number)))
            changes = {"topic": "process-document", "value": value}
        case Kind.BAD_UPLOAD:
            name, content, code = chance.choice(_bad_files())
            changes = {"filename": name, "content": content, "expected": code}
        case Kind.BAD_RECORD | Kind.UNDECODABLE:
            records = _bad_records() if kind is Kind.BAD_RECORD else _undecodable()
            topic, value, headers, code = chance.choice(records)
            changes = {"topic": topic, "value": value, "headers": headers, "expected": code}
        case Kind.TENANT:
            changes = {}
        case _ if kind in STORES:
            name = collection(kind, number)
            value = json.dumps({"collection": name, "operation": operation(kind, number)}).encode()
            changes = {"key": f"{GPT}/{name}", "value": value}
            if chance.random() < 0.5:
                changes["topic"] = "write-collection"
        case Kind.PING:
            changes = {"topic": "ping", "value": b"{}"}
        case _:
            # Half of the changes come over HTTP, half as records.
            changes = {"topic": f"{kind}-document" if chance.random() < 0.5 else None}
    return Order(number, kind, draw=chance.random(), **changes)


def request_uuid(seed: int, number: int) -> str:
    """Returns: the idempotency key or request id of an order, the same at every repetition."""
    return str(uuid.UUID(int=Random(f"key {seed} {number}").getrandbits(128), version=4))


def change(made: Order, document_id: str) -> dict[str, Any]:
    """Returns: what a change says of a document."""
    if made.kind is Kind.UPDATE:
        return {"document_id": document_id, "metadata": {"chaos": made.number}}
    return {"document_id": document_id}


def collection(kind: Kind, number: int) -> str:
    """Returns: the collection that an order is about."""
    others = {Kind.DEFINE_OTHER, Kind.PUT_IN_OTHER, Kind.DROP_OTHER}
    return f"{COLLECTION}-{number % _OTHERS}" if kind in others else COLLECTION


def object_key(kind: Kind, number: int) -> str:
    """Returns: the key of the object that an order puts or deletes."""
    match kind:
        case Kind.PUT_FOR_A_WHILE:
            return f"t{number}"
        case Kind.PUT_TROUBLE:
            return f"x{number}"
        case Kind.PUT_IN_OTHER:
            return f"o{number}"
        case _:
            return f"k{number % _OBJECTS}"


def put(kind: Kind, number: int) -> dict[str, Any]:
    """Returns: what an order puts: the body, and how long it stays."""
    body: dict[str, Any] = {"chaos": number}
    if kind is Kind.PUT_TROUBLE:
        body[TROUBLE] = True
    return {"body": body} | ({"ttl_s": 1 + number % 5} if kind is Kind.PUT_FOR_A_WHILE else {})


def merged(number: int) -> dict[str, Any]:
    """Returns: the merge patch of the order of this number, which leaves a mark of its own."""
    return {f"m{number}": number}


def operation(kind: Kind, number: int) -> dict[str, Any]:
    """Returns: what an order does, as records say it; a merge's target comes when it is sent."""
    key = object_key(kind, number)
    match kind:
        case Kind.WRITE_BATCH:
            return {"op": "batch", "atomic": True, "operations": operations(number)}
        case Kind.DEFINE_OTHER:
            return {"op": "define"}
        case Kind.DROP_OTHER:
            return {"op": "drop"}
        case Kind.MERGE_OBJECT:
            return {"op": "merge", "patch": merged(number)}
        case Kind.DROP_OBJECT:
            return {"op": "delete", "key": key}
        case _:
            return {"op": "put", "key": key, **put(kind, number)}


def operations(number: int) -> list[dict[str, Any]]:
    """Returns: the operations of the batch of this number."""
    return [
        {"op": "create", "key": f"b{number}-{place}", "body": {"chaos": number}}
        for place in range(BATCH)
    ]


def _document(chance: Random, mark: str) -> tuple[str, bytes]:
    """Returns: the name and the bytes of a small document that only this order has."""
    lines = [" ".join(chance.choices(_WORDS.split(), k=8)) for _ in range(chance.randint(2, 12))]
    paragraphs = ".\n\n".join(lines)
    name = f"note-{mark}"
    match chance.choice(("txt", "txt", "md", "html", "csv")):
        case "md":
            return f"{name}.md", f"# Note {mark}\n\n{paragraphs}.\n".encode()
        case "html":
            body = "".join(f"<p>{line}.</p>" for line in lines)
            page = f"<!doctype html><html><body><h1>Note {mark}</h1>{body}</body></html>"
            return f"{name}.html", page.encode()
        case "csv":
            rows = "".join(f"{number},{line}\n" for number, line in enumerate(lines))
            return f"{name}.csv", f"number,{mark}\n{rows}".encode()
        case _:
            return f"{name}.txt", f"Note {mark}.\n\n{paragraphs}.\n".encode()


def _inline(name: str, content: bytes) -> bytes:
    source = {"kind": "inline", "content_base64": base64.b64encode(content).decode()}
    return json.dumps({"source": source, "filename": name}).encode()


@cache
def _bad_files() -> list[tuple[str, bytes, str]]:
    pdf = (_SAMPLES / "invoice-harbour-foods.pdf").read_bytes()
    return [
        ("truncated.pdf", pdf[: len(pdf) // 3], "corrupt"),
        ("program.bin", b"\x7fELF\x02\x01\x01" + bytes(range(256)) * 8, "unsupported_type"),
        ("empty.txt", b"", "empty_file"),
    ]


@cache
def _bad_records() -> list[BadRecord]:
    def source(**values: str) -> bytes:
        return json.dumps({"source": values}).encode()

    missing = source(kind="s3", key=f"{GPT}/documents/missing/{uuid.UUID(int=0)}/original")
    topic = "process-document"
    return [
        (topic, missing, {}, "no_such_object"),
        (topic, source(kind="s3", key="other/documents/x"), {}, "foreign_key"),
        (topic, source(kind="inline", content_base64="%%%"), {}, "bad_base64"),
        (topic, source(kind="link", url="https://127.0.0.1/x.pdf"), {}, "private_address"),
        (topic, _inline("a.txt", b"words"), {"gpt-id": STRANGER}, "unknown_tenant"),
    ]


@cache
def _undecodable() -> list[BadRecord]:
    good = _inline("a.txt", b"words")
    topic = "process-document"
    return [
        (topic, b"not json", {}, "invalid_record"),
        (topic, b'{"source": {"kind": "fax"}}', {}, "invalid_record"),
        (topic, good, {"gpt-id": None}, "invalid_record"),
        (topic, good, {"schema": "process-document.v2"}, "unknown_schema"),
        ("document-parsed", b'{"document_id": 17}', {"schema": "document-parsed.v1"},
         "invalid_record"),
        ("delete-document", b"\xff\xfe", {"schema": "delete-document.v1"}, "invalid_record"),
    ]  # fmt: skip
