"""The query language: what it takes, what it refuses, and the index terms that answer it."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.attributes import (
    MAX_TERMS,
    MAX_VALUE_CHARS,
    attributes,
    date_term,
    number_term,
    text_term,
)
from schemas.where import Condition, InvalidWhere, Op, parse

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize("nothing", [None, "", "  ", "{}", {}])
def test_nothing_asked_is_no_condition(nothing: Any) -> None:
    """Absent and empty conditions hold for all documents."""
    assert parse(nothing) == ()


def test_a_plain_value_means_equality() -> None:
    """A value without an operator is compared for equality; several operators all hold."""
    found = parse('{"type": "invoice", "fields.total": {"gte": 1, "lt": 2}}')
    assert found == (
        Condition("type", (), Op.EQ, "invoice"),
        Condition("fields", ("total",), Op.GTE, 1.0),
        Condition("fields", ("total",), Op.LT, 2.0),
    )


@pytest.mark.parametrize(
    ("op", "resolved", "moment"),
    [
        ("lte", Op.LT, "2026-12-01"),
        ("gt", Op.GTE, "2026-12-01"),
        ("lt", Op.LT, "2026-11-30"),
        ("gte", Op.GTE, "2026-11-30"),
    ],
)
def test_a_day_is_all_of_its_moments(op: str, resolved: Op, moment: str) -> None:
    """Up to a day includes its last moment, after a day begins with the next."""
    [condition] = parse({"fields.date": {op: "2026-11-30"}})
    assert (condition.op, condition.value) == (resolved, moment)


def test_times_of_creation_are_made_utc() -> None:
    """A time with another offset is turned into UTC, a bare one is UTC."""
    [condition] = parse({"created_at": {"gte": "2026-11-01T01:00:00+02:00"}})
    assert condition.value == "2026-10-31T23:00:00+00:00"


WRONG: list[tuple[Any, str]] = [
    ("[", ""),
    ('"text"', ""),
    ("[" * 5000, ""),
    ("x" * 9000, ""),
    ([1], ""),
    ({"nope": 1}, "/nope"),
    ({"total": 1}, "/total"),
    ({"metadata": 1}, "/metadata"),
    ({"metadata.": 1}, "/metadata."),
    ({"metadata.a=b": 1}, "/metadata.a=b"),
    ({"metadata." + ".".join("abcdefghi"): 1}, "/metadata.a.b.c.d.e.f.g.h.i"),
    ({"type.x": 1}, "/type.x"),
    ({"type": {}}, "/type"),
    ({"type": {"like": "x"}}, "/type/like"),
    ({"type": {"gt": 1}}, "/type/gt"),
    ({"type": 7}, "/type"),
    ({"type": ["a"]}, "/type"),
    ({"type": {"in": []}}, "/type/in"),
    ({"type": {"in": "a"}}, "/type/in"),
    ({"type": {"in": ["a"] * 101}}, "/type/in"),
    ({"status": "done"}, "/status"),
    ({"status": None}, "/status"),
    ({"needs_review": "yes"}, "/needs_review"),
    ({"confidence": {"gt": "2026-01-01"}}, "/confidence/gt"),
    ({"created_at": {"gt": 5}}, "/created_at/gt"),
    ({"created_at": {"gt": "2026-13-01"}}, "/created_at/gt"),
    ({"created_at": {"gt": "0001-01-01T00:00:00+23:00"}}, "/created_at/gt"),
    ({"created_at": "2026-01-01"}, "/created_at"),
    ({"fields.a": {"gt": "abc"}}, "/fields.a/gt"),
    ({"fields.a": {"gt": None}}, "/fields.a/gt"),
    ({"fields.a": {"gt": True}}, "/fields.a/gt"),
    ({"fields.a": {"lte": "9999-12-31"}}, "/fields.a/lte"),
    ({"fields.a": {"exists": "yes"}}, "/fields.a/exists"),
    ({"fields.a": {"prefix": ""}}, "/fields.a/prefix"),
    ({"fields.a": {"contains": 1}}, "/fields.a/contains"),
    ({"fields.a": math.inf}, "/fields.a"),
    ({"fields.a": 10**400}, "/fields.a"),
    ({"fields.a": "x\0"}, "/fields.a"),
    ({"fields.a": "\ud800"}, "/fields.a"),
    ({"fields.a": "x" * (MAX_VALUE_CHARS + 1)}, "/fields.a"),
    ({f"fields.a{n}": 1 for n in range(33)}, ""),
    ({"fields.a/b": {"x": 1}}, "/fields.a~1b/x"),
]


@pytest.mark.parametrize(("where", "pointer"), WRONG, ids=range(len(WRONG)))
def test_what_cannot_be_used_is_named(where: Any, pointer: str) -> None:
    """Each fault has a pointer into the object and says what would be right."""
    with pytest.raises(InvalidWhere) as caught:
        parse(where)
    [error] = caught.value.errors
    assert error.pointer == pointer
    assert error.detail


@given(st.recursive(st.none() | st.booleans() | FINITE | st.text(), st.lists, max_leaves=5))
def test_any_value_is_taken_or_refused(value: Any) -> None:
    """No JSON value makes the parser fail otherwise than by refusing it."""
    try:
        [condition] = parse(json.dumps({"metadata.key": value}))
    except InvalidWhere:
        return
    assert condition.op is Op.EQ


@given(FINITE, FINITE)
def test_terms_of_numbers_sort_as_numbers(left: float, right: float) -> None:
    """The text order of two terms is the order of their numbers, zeros of both signs alike."""
    terms = number_term("x", left), number_term("x", right)
    assert (terms[0] < terms[1], terms[0] == terms[1]) == (left < right, left == right)


def test_terms_tell_kinds_of_values_apart() -> None:
    """The text 1, the number 1, true and a date have terms of their own."""
    found = attributes({"a": "1", "b": 1, "c": True, "d": "2026-11-01", "e": None}, {})
    assert set(found) == {
        "metadata?",
        "metadata.a=1",
        "metadata.a?",
        number_term("metadata.b", 1),
        "metadata.b?",
        "metadata.c#b1",
        "metadata.c?",
        "metadata.d=2026-11-01",
        date_term("metadata.d", "2026-11-01"),
        "metadata.d?",
    }


def test_amounts_count_as_numbers() -> None:
    """An amount is found by its number and by its currency, also within rows."""
    amount = {"amount": "-12.50", "currency": "EUR"}
    found = attributes({}, {"total": amount, "lines": [{"amount": amount}]})
    assert number_term("fields.total", -12.5) in found
    assert number_term("fields.lines.amount", -12.5) in found
    assert "fields.total.currency=EUR" in found


def test_long_texts_are_cut_so_that_no_condition_equals_them() -> None:
    """A cut text is one character longer than any condition may be."""
    term = text_term("metadata.a", "x" * 10_000)
    assert term != text_term("metadata.a", "x" * MAX_VALUE_CHARS)
    assert term.startswith(text_term("metadata.a", "x" * MAX_VALUE_CHARS))


def test_terms_are_bounded() -> None:
    """However large a document's metadata is, its terms are not."""
    assert len(attributes({"a": [str(n) for n in range(10_000)]}, {})) == MAX_TERMS


KEYS = st.text(max_size=4)
NESTED = st.recursive(
    FINITE | KEYS | st.none(), lambda inner: st.dictionaries(KEYS, inner, max_size=3), max_leaves=6
)


@given(NESTED)
def test_any_metadata_gives_terms(value: Any) -> None:
    """Whatever stands in metadata, terms are made without failing, each of them once."""
    found = attributes({"key": value}, {})
    assert found == sorted(set(found))
