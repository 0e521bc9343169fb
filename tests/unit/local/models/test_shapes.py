"""Answers take the shape of the schema asked for, or are refused."""

import json
import math
from typing import Any

import pytest

from local.models import shapes
from local.models.refusal import Refused


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": ["string", "null"]}, None),
        ({"type": "string"}, ""),
        ({"type": "array", "items": {}}, []),
        ({"enum": ["a", "b"]}, "a"),
        ({"const": 7}, 7),
        ({"type": "integer", "default": 3}, 3),
        ({"anyOf": [{"type": "null"}, {"type": "string"}]}, None),
        ({}, None),
        (
            {
                "type": "object",
                "properties": {"a": {"type": "number"}, "b": {"type": "string"}},
                "required": ["a"],
            },
            {"a": 0},
        ),
    ],
)
def test_emptiest(schema: dict[str, Any], expected: object) -> None:
    """The emptiest value is valid by its schema."""
    assert shapes.emptiest(schema) == expected
    assert shapes.checked(shapes.emptiest(schema), schema) == expected


def test_with_text_fills_the_first_property_that_takes_a_string() -> None:
    """The text goes where it fits, the rest stays empty."""
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer"}, "summary": {"type": "string"}},
    }
    assert shapes.with_text(schema, "Quoted.") == {"n": 0, "summary": "Quoted."}
    assert shapes.with_text({"type": "string"}, "Quoted.") == "Quoted."


def test_an_answer_that_does_not_fit_is_refused() -> None:
    """A demand for content that this model cannot have gets 400, not an invention."""
    with pytest.raises(Refused, match="answers only") as refusal:
        shapes.checked("", {"type": "string", "minLength": 1})
    assert refusal.value.status == 400


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "nonsense"},
        {"$ref": "http://127.0.0.1:9/schema.json"},
        {"$ref": "file:///etc/passwd"},
    ],
)
def test_a_schema_that_is_none_or_leads_elsewhere_is_refused(schema: dict[str, Any]) -> None:
    """No reference of a stranger's schema is fetched."""
    with pytest.raises(Refused, match="invalid JSON schema"):
        shapes.checked({}, schema)


def test_written_pieces_are_the_value_again_and_carry_the_scores() -> None:
    """Structure has log probability 0.0, a leaf that of its score, quotes are structure."""
    value = {"name": 'Ä "B"', "rows": [{"n": None}, {"n": "2"}], "ok": True}
    scores = {"name": 0.5, "rows": [{"n": 0.25}]}
    pieces = shapes.write(value, scores)
    assert json.loads("".join(piece.text for piece in pieces)) == value
    by_text = {piece.text: piece.logprob for piece in pieces}
    assert by_text['Ä \\"B\\"'] == pytest.approx(math.log(0.5))
    assert by_text["null"] == pytest.approx(math.log(0.25))
    assert by_text["2"] == by_text["{"] == by_text['"'] == by_text["true"] == 0.0


def test_a_score_of_zero_is_still_a_number() -> None:
    """Infinity is not JSON."""
    [piece] = shapes.write(None, 0.0)
    assert math.isfinite(piece.logprob)
