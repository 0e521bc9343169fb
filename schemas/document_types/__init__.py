"""Document types: the built-in ones, how one is read, and the answer that a model gives for one.

Reads the JSON files of this package and nothing else.
"""

import functools
import json
from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from schemas.document_types.checks import OrderCheck, ProductCheck, SumCheck
from schemas.document_types.model import (
    ColumnSchema,
    DocumentType,
    FieldSchema,
    FieldsSchema,
    ItemsSchema,
    Kind,
)

__all__ = [
    "ColumnSchema",
    "DocumentType",
    "FieldSchema",
    "FieldsSchema",
    "InvalidDocumentType",
    "ItemsSchema",
    "Kind",
    "OrderCheck",
    "ProductCheck",
    "SumCheck",
    "answer_schema",
    "builtin",
    "parse",
]

MAX_BYTES = 256 * 1024
"""The largest JSON text of one type; the largest built-in one has 8 KiB."""


class InvalidDocumentType(ValueError):
    """A document type that cannot be used; the message names each wrong key and says why."""


def parse(document_type: Mapping[str, Any] | bytes | str) -> DocumentType:
    """Reads one document type.

    Args:
        document_type: the decoded JSON object, or its text of at most 256 KiB.

    Returns: the validated type.

    Raises:
        InvalidDocumentType: not JSON, too large, a key is unknown, missing or wrong; the message
            has one clause for each, such as `fields.properties.total.x-knid: unknown key`.
    """
    if isinstance(document_type, bytes | str):
        if len(document_type) > MAX_BYTES:
            raise InvalidDocumentType(f"larger than {MAX_BYTES} bytes")
        try:
            document_type = json.loads(document_type)
        except (ValueError, RecursionError) as error:
            raise InvalidDocumentType(f"not JSON: {error}") from error
    try:
        return DocumentType.model_validate(document_type)
    except ValidationError as error:
        raise InvalidDocumentType("; ".join(_clauses(error))) from error


def _clauses(error: ValidationError) -> list[str]:
    clauses = []
    for one in error.errors(include_url=False, include_context=False, include_input=False):
        place = ".".join(str(part) for part in one["loc"]) or "the document type"
        reason = "unknown key" if one["type"] == "extra_forbidden" else one["msg"]
        clauses.append(f"{place}: {reason.removeprefix('Value error, ')}")
    return clauses


@functools.cache
def builtin() -> Mapping[str, DocumentType]:
    """The types that every tenant has, by name in alphabetical order; read once, read-only.

    Raises:
        InvalidDocumentType: a file of this package is wrong or not named for its type.
    """
    found: dict[str, DocumentType] = {}
    files = (entry for entry in resources.files(__name__).iterdir() if entry.name.endswith(".json"))
    for entry in sorted(files, key=lambda entry: entry.name):
        document_type = parse(entry.read_bytes())
        if entry.name != f"{document_type.name}.json":
            raise InvalidDocumentType(f"{entry.name} holds the type {document_type.name}")
        found[document_type.name] = document_type
    return MappingProxyType(found)


def answer_schema(document_type: DocumentType) -> dict[str, Any]:
    """The JSON Schema of the answer that a model gives for the fields of a type.

    Every field and column is required and may be null, because a model that must say "absent"
    invents less than one that may leave a key out. `x-kind` and `x-labels` stay as hints.

    Returns: a new object, `additionalProperties` false throughout; a list is empty where absent.
    """
    fields = document_type.fields.properties.items()
    return _object({name: _answer(field) for name, field in fields})


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _answer(field: FieldSchema) -> dict[str, Any]:
    if field.items is None:
        return {"type": ["string", "null"], **_hints(field)}
    if field.items.type == "string":
        return {"type": "array", "items": {"type": "string"}, **_hints(field)}
    columns = {
        name: {"type": ["string", "null"], **_hints(column)}
        for name, column in field.columns.items()
    }
    return {"type": "array", "items": _object(columns), **_hints(field)}


def _hints(field: FieldSchema | ColumnSchema) -> dict[str, Any]:
    hints: dict[str, Any] = {"description": field.description, "x-labels": list(field.labels)}
    if field.kind is not None:
        hints["x-kind"] = field.kind.value
    return hints
