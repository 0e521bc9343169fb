"""What the answer to a write says: the JSON that is stored as its request's result."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from streams.collections.definitions import Defined
from streams.collections.judging import Done
from streams.collections.rejected import Rejected
from streams.collections.values import Collection, Object

INLINE_BYTES: Final = 16 * 1024
"""A larger body is not in the answer; it is read again by id and version."""
_SHOWN_ERRORS: Final = 5
_TOLD_RESULTS: Final = 50
"""With all their errors, these are a quarter of what a record may have."""


def of_object(done: Done, name: str) -> dict[str, Any]:
    """Returns: the answer to an operation on one object of the collection of this name."""
    answer: dict[str, Any] = {"status": done.status, "change": done.change}
    if done.object is not None:
        answer["object"] = _object(done.object, name, done.body)
    return answer


def of_one_in_a_batch(done: Done) -> dict[str, Any]:
    """Returns: what a batch's answer says of one operation that was done."""
    one = done.object
    if one is None:
        return {"status": done.status}
    return {"status": done.status, "id": one.object_id, "key": one.key, "version": one.version}


def of_no_in_a_batch(error: Rejected) -> dict[str, Any]:
    """Returns: what a batch's answer says of one operation that was not done.

    Of its errors it names the first few.
    """
    told: dict[str, Any] = {"code": error.code, "detail": error.detail}
    if error.errors:
        told["errors"] = [each.model_dump() for each in error.errors[:_SHOWN_ERRORS]]
    return {"status": error.status, "problem": told}


def shortened(answer: dict[str, Any]) -> dict[str, Any] | None:
    """Returns: what the record on `results` says instead, where that is shorter, else None.

    It names an object without its body, and of a long batch only how many results there are.
    """
    if "body" in (one := answer.get("object", {})):
        named = {name: value for name, value in one.items() if name != "body"}
        return {**answer, "object": named}
    results = answer.get("results", ())
    if len(results) <= _TOLD_RESULTS:
        return None
    return {"status": answer["status"], "atomic": answer["atomic"], "results_count": len(results)}


def of_collection(defined: Defined) -> dict[str, Any]:
    """Returns: the answer to an operation on a collection."""
    return {"status": defined.status, "collection": _collection(defined.collection)}


def _object(one: Object, name: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "id": one.object_id,
        "gpt_id": one.gpt_id,
        "collection": name,
        "key": one.key,
        "version": one.version,
        "size_bytes": one.size_bytes,
        "created_at": _time(one.created_at),
        "updated_at": _time(one.updated_at),
        "expires_at": None if one.expires_at is None else _time(one.expires_at),
    }
    if body is not None and one.size_bytes <= INLINE_BYTES:
        answer["body"] = body
    return answer


def _collection(one: Collection) -> dict[str, Any]:
    return {
        "name": one.name,
        "gpt_id": one.gpt_id,
        "description": one.description,
        "schema": None if one.json_schema is None else json.loads(one.json_schema),
        "search": one.search,
        "indexes": one.indexes.model_dump(mode="json"),
        "indexes_ready": one.shape == one.shaped,
        "keep_versions": one.keep_versions,
        "default_ttl_s": one.default_ttl_s,
        "max_objects": one.max_objects,
        "max_bytes": one.max_bytes,
        "object_count": one.object_count,
        "byte_count": one.byte_count,
        "version": one.version,
        "sequence": one.sequence,
        "created_at": _time(one.created_at),
        "updated_at": _time(one.updated_at),
    }


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
