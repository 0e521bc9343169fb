"""Whatever the text and the schema: nothing raises, and every value stands in the text."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from local.models.extraction import extract
from local.models.extraction.sheet import blur, fold, read_sheet, worded

KINDS = (
    "text", "identifier", "date", "amount", "quantity", "percentage", "party", "person",
    "address", "email", "phone", "iban", "url", "period", "unheard-of",
)  # fmt: skip
LABELS = (
    "total",
    "date",
    "bill to",
    "between",
    "and",
    "skills",
    "experience",
    "tax",
    "address",
    "à",
)
PIECES = (
    "TOTAL", "Date:", "Bill to:", "between", "and", "12/03/2018", "RM 12.50", "1.234,56 €", "20 %",
    "CASH 20.00", "CHANGE 7.50", "SDN BHD", "NO 5, JALAN SATU", "43300 KAJANG", "TEL: 03-1234 5678",
    "Skills", "Experience", "2016 - 2021", "a@b.example", "GB82 WEST 1234 5698 7654 32",
    "\n", "   ", "\f", "Qty  Price  Amount", "2 x Tea 1.50  3.00", "GST SUMMARY",
    "(", ")", "&", "ß", "İ", "ﬁ", "٣",
)  # fmt: skip

texts = st.one_of(
    st.text(max_size=300),
    st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=8)), max_size=40).map(" ".join),
    st.lists(st.sampled_from(PIECES), max_size=40).map("\n".join),
)
leaves = st.fixed_dictionaries(
    {"type": st.just("string"), "x-kind": st.sampled_from(KINDS)},
    optional={
        "x-labels": st.lists(st.one_of(st.sampled_from(LABELS), st.text(max_size=6)), max_size=3),
        "description": st.text(max_size=12),
    },
)
names = st.sampled_from(
    ("total", "date", "customer", "name", "title", "skills", "tax", "balance", "x")
)
objects = st.dictionaries(names, leaves, max_size=5).map(
    lambda properties: {"type": "object", "properties": properties}
)
arrays = st.one_of(objects, leaves).map(lambda items: {"type": "array", "items": items})
schemas = st.dictionaries(names, st.one_of(leaves, arrays, objects), max_size=6).map(
    lambda properties: {"type": "object", "properties": properties}
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(("properties", "items", "x-kind", "x-labels", "a")), inner
        )
    ),
    max_leaves=8,
)


def plain(text: str) -> str:
    """A text without white space and punctuation."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text))


def printed(value: str, everything: str) -> bool:
    """Whether the words of a value stand in a plain text, in this order.

    Other words may stand between them where the text has columns and the value one of them.
    """
    at = 0
    for word in filter(None, map(plain, value.split())):
        at = everything.find(word, at)
        if at < 0:
            return False
        at += len(word)
    return True


def strings(value: object) -> Iterator[str]:
    """All strings in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


def numbers(value: object) -> Iterator[float]:
    """All scores in a value."""
    if isinstance(value, float):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from numbers(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from numbers(inner)


@settings(max_examples=75, deadline=None)
@given(text=texts, schema=schemas)
def test_every_value_is_printed_in_the_text(text: str, schema: dict[str, Any]) -> None:
    """No rule invents text, and every score lies between nought and one."""
    found = extract(text, schema)
    everything = plain(text)
    assert set(found.values) == set(found.scores) == set(schema["properties"])
    assert all(printed(value, everything) for value in strings(found.values))
    assert all(0.0 <= score <= 1.0 for score in numbers(found.scores))


@settings(max_examples=60, deadline=None)
@given(schema=anything)
def test_no_schema_raises(schema: Any) -> None:
    """What is no schema asks for nothing, or for what can be made out of it."""
    found = extract("TOTAL 12.50\nSkills: a, b", schema if isinstance(schema, dict) else {})
    assert isinstance(found.values, dict)


@settings(max_examples=60, deadline=None)
@given(text=texts)
def test_a_lines_key_keeps_its_places(text: str) -> None:
    """Each letter of a folded line knows where it was printed."""
    for line in read_sheet(text).lines:
        assert len(line.key) == len(line.places)
        assert all(line.text[cell.start : cell.end] == cell.text for cell in line.cells)


def test_folding_ignores_case_accents_and_confusions() -> None:
    """Texts that OCR confuses fold to the same letters; words stay apart."""
    assert fold("Échéance: N° 5") == "echeancen5"
    assert blur(fold("T0TAL 8I5")) == blur(fold("TOTAL B1S"))
    assert worded("TotalSales (RM) 12") == "total sales rm 12"


def test_a_long_text_is_read_in_one_pass() -> None:
    """Twenty thousand lines without a blank yield rows and end."""
    schema = {
        "properties": {
            "total": {"x-kind": "amount", "x-labels": ["total"]},
            "date": {"x-kind": "date", "x-labels": ["date"]},
        }
    }
    text = "\n".join(f"Item {i} 1.00" for i in range(3_000)) + "\nTOTAL 3000.00\n" + "x" * 50_000
    assert extract(text, schema).values == {"total": "3000.00", "date": None}
