"""Document types: the built-in ones are sound, wrong ones are refused, answers mirror them."""

import copy
import json
from importlib import resources
from typing import Any

import jsonschema_rs
import pytest

from schemas import document_types
from schemas.document_types import DocumentType, InvalidDocumentType, Kind

NAMES = (
    "bank_statement",
    "contract",
    "form",
    "invoice",
    "letter",
    "other",
    "receipt",
    "report",
    "resume",
)


def memo() -> dict[str, Any]:
    """A small valid type with a field of each shape."""
    return {
        "name": "memo",
        "title": "Memo",
        "version": 1,
        "description": "A short note.",
        "examples": ["To all: the lift is out of order"],
        "review_threshold": 0.5,
        "fields": {
            "type": "object",
            "properties": {
                "sent": _leaf("date"),
                "read": _leaf("date"),
                "cost": _leaf("amount"),
                "topics": {
                    "type": "array",
                    "description": "What it is about.",
                    "x-kind": "list-of-text",
                    "items": {"type": "string"},
                },
                "parts": {
                    "type": "array",
                    "description": "What the cost is made of.",
                    "items": {
                        "type": "object",
                        "properties": {
                            "pieces": _leaf("quantity"),
                            "each": _leaf("amount"),
                            "price": _leaf("amount"),
                        },
                    },
                },
            },
            "required": ["sent"],
        },
        "checks": [
            {"kind": "sum", "parts": "parts.price", "total": "cost"},
            {"kind": "order", "before": "sent", "after": "read"},
            {
                "kind": "product",
                "rows": "parts",
                "quantity": "pieces",
                "unit_price": "each",
                "amount": "price",
            },
        ],
    }


def _leaf(kind: str) -> dict[str, Any]:
    return {"type": "string", "description": "A value.", "x-kind": kind, "x-labels": ["label"]}


def test_builtin_types_are_the_nine_and_cached() -> None:
    """Every tenant has the nine types; they are read once and cannot be changed."""
    assert tuple(document_types.builtin()) == NAMES
    assert document_types.builtin() is document_types.builtin()
    with pytest.raises(TypeError):
        document_types.builtin()["invoice"] = None  # type: ignore[index]


@pytest.mark.parametrize("name", NAMES)
def test_builtin_type_survives_the_round_trip(name: str) -> None:
    """What the model writes is what the file says, key by key."""
    text = (resources.files(document_types) / f"{name}.json").read_text(encoding="utf-8")
    document_type = document_types.builtin()[name]
    assert document_type.model_dump(mode="json", exclude_unset=True) == json.loads(text)
    assert DocumentType.model_validate_json(document_type.model_dump_json()) == document_type


@pytest.mark.parametrize("name", NAMES)
def test_builtin_type_can_be_recognised(name: str) -> None:
    """Each type has a description and several examples to be recognised by."""
    document_type = document_types.builtin()[name]
    assert len(document_type.description) > 50
    assert len(document_type.examples) >= 4


@pytest.mark.parametrize("name", NAMES)
def test_answer_schema_is_closed_and_accepts_absent_values(name: str) -> None:
    """An answer of nothing but absent values fits; one with a key too many or too few does not."""
    schema = document_types.answer_schema(document_types.builtin()[name])
    jsonschema_rs.meta.validate(schema)
    absent: dict[str, Any] = {
        field: [] if part["type"] == "array" else None
        for field, part in schema["properties"].items()
    }
    validator = jsonschema_rs.validator_for(schema)
    assert validator.is_valid(absent)
    assert not validator.is_valid({**absent, "invented": "value"})
    for field in absent:
        assert not validator.is_valid({key: absent[key] for key in absent if key != field})


def test_answer_schema_keeps_kinds_and_labels_of_every_value() -> None:
    """The hints reach the model at each leaf, in rows too."""
    schema = document_types.answer_schema(document_types.parse(memo()))
    leaf = {
        "type": ["string", "null"],
        "description": "A value.",
        "x-kind": "date",
        "x-labels": ["label"],
    }
    assert schema["properties"]["sent"] == leaf
    row = schema["properties"]["parts"]["items"]
    assert row["required"] == ["pieces", "each", "price"]
    assert row["additionalProperties"] is False
    assert row["properties"]["pieces"]["x-kind"] == "quantity"
    assert schema["properties"]["topics"]["items"] == {"type": "string"}


def test_kinds_name_every_value_by_its_path() -> None:
    """Columns are named after their field; rows themselves have no kind."""
    kinds = document_types.parse(json.dumps(memo())).kinds()
    assert kinds == {
        "sent": "date",
        "read": "date",
        "cost": "amount",
        "topics": "list-of-text",
        "parts.pieces": "quantity",
        "parts.each": "amount",
        "parts.price": "amount",
    }


def test_every_kind_is_used_by_a_builtin_type() -> None:
    """No kind exists that the built-in types could not test."""
    used = {kind for one in document_types.builtin().values() for kind in one.kinds().values()}
    assert used == {kind.value for kind in Kind}


def _many(count: int) -> dict[str, Any]:
    return {f"field_{number}": _leaf("text") for number in range(count)}


WRONG: list[tuple[tuple[str, ...], Any, str]] = [
    (("colour",), "red", "colour: unknown key"),
    (("name",), "Memo", "name: "),
    (("name",), "1memo", "name: "),
    (("name",), "m" * 64, "name: "),
    (("title",), "", "title: "),
    (("title",), "two\nlines", "title: "),
    (("description",), "null \0", "description: "),
    (("examples",), ["\ud800"], "examples.0: "),
    (("description",), "d" * 1001, "description: "),
    (("examples",), ["x"] * 17, "examples: "),
    (("review_threshold",), 1.1, "review_threshold: "),
    (("version",), 0, "version: "),
    (("version",), "1", "version: "),
    (("fields", "type"), "array", "fields.type: "),
    (("fields", "extra"), {}, "fields.extra: unknown key"),
    (("fields", "required"), ["sender"], "fields: required field 'sender'"),
    (("fields", "required"), ["sent", "sent"], "fields: a required field is named twice"),
    (("fields", "properties", "Sent"), _leaf("date"), "fields.properties.Sent"),
    (("fields", "properties", "sent", "x-kind"), "day", "fields.properties.sent.x-kind: "),
    (("fields", "properties", "sent", "x-kind"), "list-of-text", "fields.properties.sent: "),
    (("fields", "properties", "sent", "x-label"), [], "sent.x-label: unknown key"),
    (("fields", "properties", "sent", "x-labels"), ["Date"], "'Date' must be lower case"),
    (("fields", "properties", "sent", "x-labels"), [" date"], "sent.x-labels.0: "),
    (("fields", "properties", "sent", "x-labels"), ["l"] * 49, "sent.x-labels: "),
    (("fields", "properties", "sent", "description"), "d" * 501, "sent.description: "),
    (("fields", "properties", "sent", "type"), "number", "sent.type: "),
    (("fields", "properties", "sent", "type"), "array", "sent: a field of type array needs items"),
    (("fields", "properties", "topics", "x-kind"), "text", "topics: a list of strings"),
    (("fields", "properties", "parts", "x-kind"), "text", "parts: rows have no x-kind"),
    (("fields", "properties", "parts", "items", "properties"), {}, "parts.items: "),
    (
        ("fields", "properties", "parts", "items", "properties", "pieces", "items"),
        {"type": "string"},
        "pieces.items: unknown key",
    ),
    (("fields", "properties"), _many(65), "fields: 65 fields and columns"),
    (("checks",), [{"kind": "sum", "parts": "parts.tax", "total": "cost"}], "'parts.tax'"),
    (("checks",), [{"kind": "sum", "parts": [], "total": "cost"}], "checks.0.sum.parts"),
    (("checks",), [{"kind": "order", "before": "sent", "after": "cost"}], "'cost' is not a field"),
    (("checks",), [{"kind": "median", "of": "cost"}], "checks.0: "),
]


@pytest.mark.parametrize(("path", "value", "message"), WRONG)
def test_wrong_type_is_refused_by_name(path: tuple[str, ...], value: object, message: str) -> None:
    """Each mistake is refused with a message that names the key."""
    wrong = copy.deepcopy(memo())
    if path[-1] == "properties" and path[0] == "fields":
        wrong["fields"]["required"], wrong["checks"] = [], []
    place = wrong
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(InvalidDocumentType) as refused:
        document_types.parse(wrong)
    assert message in str(refused.value)


@pytest.mark.parametrize("text", ["", "[]", "null", '"memo"', "{", b"\xff\xfe", "[" * 100_000])
def test_what_is_no_object_is_refused(text: str | bytes) -> None:
    """Text that is not a JSON object ends in the same error, however it is wrong."""
    with pytest.raises(InvalidDocumentType):
        document_types.parse(text)


def test_large_text_is_refused_unread() -> None:
    """A type of more than 256 KiB is refused before it is decoded."""
    with pytest.raises(InvalidDocumentType, match="larger than"):
        document_types.parse(json.dumps(memo()) + " " * document_types.MAX_BYTES)
