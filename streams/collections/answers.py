"""What the answer to a write says: the JSON that is stored as its request's result."""

import json
from datetime import UTC, datetime
from typing import Any, Final

from streams.collections.definitions import Defined
from streams.collections.judging import Done
from streams.collections.rejected import Rejected
from streams.collections.values import Collection, Object

_SHOWN_ERRORS: Final = 5
_TOLD_RESULTS: Final = 50
"""With all their errors, these are a quarter of what a record may have."""


def of_object(done: Done, name: str) -> dict[str, Any]:
    """Returns: the answer to an operation on one object of the collection of this name.

    It names the object without its body: a purge must leave no copy of it, and whoever needs the
    body reads it by id and version.
    """
    answer: dict[str, Any] = {"status": done.status, "change": done.change}
    if done.object is not None:
        answer["object"] = _object(done.object, name)
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
    """Returns: what the record on `results` says instead of a long batch's answer, else None."""
    results = answer.get("results", ())
    if len(results) <= _TOLD_RESULTS:
        return None
    return {"status": answer["status"], "atomic": answer["atomic"], "results_count": len(results)}


def of_collection(defined: Defined) -> dict[str, Any]:
    """Returns: the answer to an operation on a collection."""
    return {"status": defined.status, "collection": _collection(defined.collection)}


def _object(one: Object, name: str) -> dict[str, Any]:
    return {
        "id": one.object_id,
        "gpt_id": one.gpt_id,
        "collection": name,
        "key": one.key,
        "subject": one.subject,
        "version": one.version,
        "size_bytes": one.size_bytes,
        "created_at": _time(one.created_at),
        "updated_at": _time(one.updated_at),
        "expires_at": None if one.expires_at is None else _time(one.expires_at),
    }


def _collection(one: Collection) -> dict[str, Any]:
    return {
        "name": one.name,
        "gpt_id": one.gpt_id,
        "description": one.description,
        "schema": None if one.json_schema is None else json.loads(one.json_schema),
        "schema_checked": one.schema_checked,
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
