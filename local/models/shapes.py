"""Put an answer into the JSON schema that was asked for.

Reads the schema only; an answer that cannot fit it is refused, never bent.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import jsonschema_rs

from local.models.refusal import Refused
from local.models.tokens import Piece

ONLY = (
    "this local model answers only the tasks classify, extract, summarise and answer, "
    "in the format that belongs to each"
)

_MAX_DEPTH = 16
_EMPTY: dict[str, Any] = {
    "null": None,
    "string": "",
    "array": [],
    "boolean": False,
    "number": 0,
    "integer": 0,
}


def emptiest(schema: Mapping[str, Any], depth: int = 0) -> Any:  # noqa: ANN401 - any JSON value
    """Return the emptiest value that `schema` asks for: null where allowed, then "", [], 0.

    It may still be invalid, where a schema demands content; `checked` finds that.
    """
    if "const" in schema:
        return schema["const"]
    if "default" in schema:
        return schema["default"]
    choices = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
    if choices and depth < _MAX_DEPTH:
        return emptiest(choices[0], depth + 1)
    kinds = schema.get("type")
    kinds = [kinds] if isinstance(kinds, str) else list(kinds or [])
    if schema.get("enum") and "null" not in kinds:
        return schema["enum"][0]
    if "null" not in kinds and ("object" in kinds or "properties" in schema):
        wanted = _wanted(schema) if depth < _MAX_DEPTH else []
        return {name: emptiest(schema["properties"][name], depth + 1) for name in wanted}
    return next((value for kind, value in _EMPTY.items() if kind in kinds), None)


def with_text(schema: Mapping[str, Any], text: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return the emptiest value of `schema` with `text` as its first property that takes a string.

    Without such a property the text is the whole answer if the schema is a string's, and is
    left out otherwise.
    """
    if schema.get("type") == "string":
        return text
    value = emptiest(schema)
    for name in _wanted(schema):
        kinds = schema["properties"][name].get("type", [])
        if isinstance(value, dict) and ("string" in kinds):
            return {**value, name: text}
    return value


def _wanted(schema: Mapping[str, Any]) -> list[str]:
    """Return the required properties of an object schema, or all when it requires none."""
    properties = schema.get("properties", {})
    return [name for name in schema.get("required", properties) if name in properties]


def checked(value: Any, schema: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON value
    """Return `value` if it is valid.

    Raises:
        Refused: 400 when it is not, or when the schema itself is not one.
    """
    try:
        valid = jsonschema_rs.is_valid(schema, value, retriever=_retrieve_nothing)
    except (ValueError, jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as error:
        raise Refused(400, "invalid JSON schema in format") from error
    if not valid:
        raise Refused(400, ONLY)
    return value


def _retrieve_nothing(uri: str) -> Any:  # noqa: ANN401 - the signature that is asked for
    """Refuse to fetch what a schema of a stranger refers to."""
    raise ValueError(f"no reference may lead outside the schema: {uri}")


def write(value: Any, scores: Any = None) -> list[Piece]:  # noqa: ANN401 - any JSON value
    """Return `value` as JSON in pieces: a leaf's carry the logarithm of its score, others 0.0.

    `scores` mirrors `value`; where it has no number the leaf counts as certain.
    """
    if isinstance(value, Mapping):
        pieces = [_fixed("{")]
        for index, (name, child) in enumerate(value.items()):
            comma = ", " if index else ""
            pieces.append(_fixed(f"{comma}{_dump(name)}: "))
            pieces += write(child, scores.get(name) if isinstance(scores, Mapping) else None)
        return [*pieces, _fixed("}")]
    if isinstance(value, Sequence) and not isinstance(value, str):
        pieces = [_fixed("[")]
        for index, child in enumerate(value):
            if index:
                pieces.append(_fixed(", "))
            known = isinstance(scores, Sequence) and index < len(scores)
            pieces += write(child, scores[index] if known else None)
        return [*pieces, _fixed("]")]
    return _leaf(value, scores)


def _leaf(value: str | float | None, score: object) -> list[Piece]:
    """Return a leaf; the quotes of a string are structure, not content."""
    known = isinstance(score, int | float)
    logprob = math.log(min(max(float(score), 1e-6), 1.0)) if known else 0.0  # type: ignore[arg-type]
    if isinstance(value, str):
        return [_fixed('"'), Piece(_dump(value)[1:-1], logprob), _fixed('"')]
    return [Piece(_dump(value), logprob)]


def _fixed(text: str) -> Piece:
    """Return a piece that the schema leaves no choice about."""
    return Piece(text, fixed=True)


def _dump(value: str | float | None) -> str:
    """Return JSON with letters of all scripts left as they are."""
    return json.dumps(value, ensure_ascii=False)
