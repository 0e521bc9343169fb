"""Answers of models, right and wrong."""

import json

import pytest

from schemas.document_types import DocumentType, parse
from streams.extraction.reading import AnswerMismatch, Value, read_answer
from streams.extraction.windows import Window


@pytest.fixture(scope="module")
def memo() -> DocumentType:
    """A type with a plain field, a list and a table."""
    cell = {"type": "string", "description": "A cell.", "x-kind": "text"}
    return parse(
        {
            "name": "memo",
            "title": "Memo",
            "description": "A memo.",
            "fields": {
                "properties": {
                    "topic": cell,
                    "tags": {
                        "type": "array",
                        "description": "Tags.",
                        "x-kind": "list-of-text",
                        "items": {"type": "string"},
                    },
                    "rows": {
                        "type": "array",
                        "description": "Rows.",
                        "items": {"type": "object", "properties": {"a": cell, "b": cell}},
                    },
                }
            },
        }
    )


def _answer(**changes: object) -> str:
    return json.dumps({"topic": "secret words", "tags": [], "rows": [], **changes})


def test_an_answer_becomes_values_with_scores(memo: DocumentType) -> None:
    """Every field is there; each value knows its score and the pages that were shown."""
    content = _answer(tags=["x"], rows=[{"a": "1", "b": None}])
    logprobs = [{"token": one, "logprob": 0.0} for one in content]
    reading = read_answer(memo, content, logprobs, Window(("",), range(2, 3), overlaps=True))
    assert reading.overlaps
    assert reading.fields == {
        "topic": Value("secret words", 1.0, range(2, 3)),
        "tags": [Value("x", 1.0, range(2, 3))],
        "rows": [{"a": Value("1", 1.0, range(2, 3)), "b": Value(None, 1.0, range(2, 3))}],
    }


@pytest.mark.parametrize("nothing", ["", "  ", "null", "N/A", "None", "-"])
def test_words_for_nothing_are_no_value(memo: DocumentType, nothing: str) -> None:
    """Small models write `N/A` where they mean null; rows of it are no rows."""
    reading = read_answer(
        memo, _answer(topic=nothing, tags=[nothing], rows=[{"a": nothing, "b": None}])
    )
    assert reading.fields == {"topic": Value(None), "tags": [], "rows": []}


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ("secret words", "not JSON"),
        (_answer()[:20], "cut off"),
        ("[" * 100_000, "JSON"),
        ('{"topic": NaN', "cut off"),
        ("[]", "$ is not an object"),
        ("{}", "$.topic is missing"),
        (_answer(secret=1), "1 keys that were not asked for"),
        (_answer(topic=5), "$.topic is neither a string nor null"),
        (_answer(topic="x" * 20_001), "$.topic has more than"),
        (_answer(tags="secret"), "$.tags is not an array"),
        (_answer(tags=["x", {}]), "$.tags[1] is neither"),
        (_answer(tags=["x"] * 20_001), "$.tags has more than"),
        (_answer(rows=["secret"]), "$.rows[0] is not an object"),
        (_answer(rows=[{"a": "x"}]), "$.rows[0].b is missing"),
        (_answer(rows=[{"a": "x", "b": ["secret"]}]), "$.rows[0].b is neither"),
    ],
)
def test_an_answer_of_another_shape_is_refused(
    memo: DocumentType, content: str, place: str
) -> None:
    """The error names the place and never the content."""
    with pytest.raises(AnswerMismatch) as raised:
        read_answer(memo, content)
    assert place in str(raised.value)
    assert "secret" not in str(raised.value)


def test_the_decoder_s_error_does_not_carry_the_text(memo: DocumentType) -> None:
    """A traceback in a log must not hold the document."""
    with pytest.raises(AnswerMismatch) as raised:
        read_answer(memo, '{"topic": secret}')
    assert raised.value.__suppress_context__
