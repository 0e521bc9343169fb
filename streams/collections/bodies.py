"""An object's body as JSON text: checked, measured, compared; and patched.

Sources: RFC 7396 (JSON Merge Patch), RFC 6902 (JSON Patch).
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import jsonpatch
from jsonpointer import JsonPointerException

from schemas import json_values, pointers
from schemas.json_values import NotStorable
from schemas.problems import FieldError
from schemas.writes import MAX_BODY_BYTES
from streams.collections.effort import Effort
from streams.collections.rejected import Rejected

# Of these, what Postgres gives back looks otherwise than what was sent.
_ODD_NUMBER: Final = re.compile(r"\de[+-]|-0\.0")
_EXPONENT_FROM: Final = 1e16
_OPERATION_STEPS: Final = 50
_MOST_COPIED: Final = 4 * MAX_BODY_BYTES
"""What the operations of one JSON Patch may write together, however much of it they remove."""
_TOO_DEEP: Final = "it meets what the operations before it have nested too deep"


@dataclass(frozen=True, slots=True)
class Body:
    """A body that can be stored: its value, its compact JSON text, and that text's size.

    `values` is a bound on how many values there are in it.
    """

    value: dict[str, Any]
    text: str
    size_bytes: int
    values: int


def of(value: Mapping[str, Any]) -> Body:
    """Returns: the body that comes back from Postgres as it is here, number for number.

    A double of 1e16 or more becomes the integer that it prints as; that is the same number.

    Raises: Rejected: it cannot be stored as it is (422), or is too large (413).
    """
    try:
        json_values.check(value)
    except NotStorable as error:
        wrong = FieldError(pointer=f"/body{error.pointer}", detail=error.detail)
        raise Rejected("invalid_body", f"body{error.pointer}: {error.detail}", 422, [wrong]) from (
            error
        )
    text = _dumped(value)
    longer = 0
    if _ODD_NUMBER.search(text):
        value = _as_stored(value)
        text = _dumped(value)
        longer = _longer(value)
    size = len(text) + longer if text.isascii() else len(text.encode()) + longer
    if size > MAX_BODY_BYTES:
        detail = f"The body would have {size:,} bytes; at most {MAX_BODY_BYTES:,} are taken."
        raise Rejected("body_too_large", detail, 413)
    return Body(dict(value), text, size, count(text))


def count(text: str) -> int:
    """Returns: at least as many as there are values in this JSON text."""
    return 1 + text.count(",") + text.count("{") + text.count("[")


def same(text: str, body: Body) -> bool:
    """Returns: whether a stored body is this one; 1, 1.0 and true are told apart."""
    return _sorted(json.loads(text)) == _sorted(body.value)


def merged(target: Any, patch: Any) -> Any:  # noqa: ANN401 - JSON values
    """Returns: the value after a merge patch (RFC 7396, section 2); neither of the two changes."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def patched(
    value: dict[str, Any], operations: Sequence[dict[str, Any]], effort: Effort
) -> dict[str, Any]:
    """Returns: the value, which is changed in place, after a JSON Patch (RFC 6902).

    Raises: Rejected: a test failed (409), an operation cannot be done (422), or it writes more
        than a patch may (413).
    """
    document: Any = value
    written = 0
    for place, operation in enumerate(operations):
        try:
            writes = _writes(document, operation)
        except RecursionError as error:
            raise _unpatched("invalid_patch", 422, place, _TOO_DEEP) from error
        written += len(writes)
        effort.spend(_OPERATION_STEPS + count(writes))
        if written > _MOST_COPIED:
            detail = f"The patch writes more than {_MOST_COPIED:,} bytes; send the whole body."
            raise Rejected("body_too_large", detail, 413)
        try:
            document = jsonpatch.JsonPatch([operation]).apply(document, in_place=True)
        except jsonpatch.JsonPatchTestFailed as error:
            raise _unpatched("patch_test_failed", 409, place, "the test failed") from error
        except RecursionError as error:
            raise _unpatched("invalid_patch", 422, place, _TOO_DEEP) from error
        except (jsonpatch.JsonPatchException, JsonPointerException) as error:
            raise _unpatched("invalid_patch", 422, place, str(error)) from error
        # The library lets these out where a pointer leads through a scalar or the types do not fit.
        except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
            raise _unpatched("invalid_patch", 422, place, "it does not fit the body") from error
    if not isinstance(document, dict):
        raise Rejected("invalid_patch", "A body is a JSON object; the patch leaves none.", 422)
    return document


def _unpatched(code: str, status: int, place: int, why: str) -> Rejected:
    said = why.partition("\n")[0][:300]
    wrong = FieldError(pointer=f"/patch/{place}", detail=said)
    return Rejected(code, f"patch/{place}: {said}", status, [wrong])


def _writes(document: Any, operation: dict[str, Any]) -> str:  # noqa: ANN401 - any JSON value
    """Returns: the JSON text that an operation writes, or compares."""
    if operation.get("op") == "copy":
        source = operation.get("from")
        found = pointers.find(document, source) if isinstance(source, str) else None
        return "" if found is pointers.MISSING else _dumped(found)
    return _dumped(operation["value"]) if "value" in operation else ""


def _dumped(value: Any) -> str:  # noqa: ANN401 - any JSON value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _sorted(value: Any) -> str:  # noqa: ANN401 - any JSON value
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _as_stored(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return {name: _as_stored(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_as_stored(inner) for inner in value]
    if isinstance(value, float) and value == 0:
        return 0.0
    if isinstance(value, float) and abs(value) >= _EXPONENT_FROM:
        return int(Decimal(repr(value)))
    return value


def _longer(value: Any) -> int:  # noqa: ANN401 - any JSON value
    """Returns: by how many characters small numbers are longer as Postgres prints them."""
    if isinstance(value, dict):
        return sum(map(_longer, value.values()))
    if isinstance(value, list):
        return sum(map(_longer, value))
    if isinstance(value, float) and "e-" in repr(value):
        return len(format(Decimal(repr(value)), "f")) - len(repr(value))
    return 0
