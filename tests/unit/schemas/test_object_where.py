"""Conditions on objects: paths, the object's own names, and what is refused."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.object_where import parse, path_of
from schemas.where import Condition, InvalidWhere, Op


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"mood": "good"}, Condition("mood", (), Op.EQ, "good")),
        ({"a.b": {"gt": 1}}, Condition("a", ("b",), Op.GT, 1)),
        ({"/a.b/c~1d": True}, Condition("a.b", ("c/d",), Op.EQ, value=True)),
        ({"n": 2**80}, Condition("n", (), Op.EQ, 2**80)),
        ({"$key": {"in": ["a"]}}, Condition("$key", (), Op.IN, ("a",))),
        (
            {"$created_at": {"lte": "2026-11-01"}},
            Condition("$created_at", (), Op.LT, "2026-11-02T00:00:00+00:00"),
        ),
    ],
)
def test_names_are_paths_or_the_objects_own(where: dict[str, Any], expected: Condition) -> None:
    """Dots and pointers lead into the body; integers stay exact, days become moments."""
    assert parse(where) == (expected,)


@pytest.mark.parametrize(
    ("where", "pointer"),
    [
        ({"$mood": 1}, "/$mood"),
        ({"$key": 1}, "/$key"),
        ({"$key": {"gt": "a"}}, "/$key/gt"),
        ({"$created_at": {"gte": 5}}, "/$created_at/gte"),
        ({"/$key": 1}, "/~1$key"),
        ({"a..b": 1}, "/a..b"),
        ({"a\0": 1}, ""),
        ({"a\ud800": 1}, ""),
        ({"a": {"\ud800": 1}}, ""),
        ({".".join("abcdefghi"): 1}, "/a.b.c.d.e.f.g.h.i"),
    ],
)
def test_what_cannot_be_meant_is_refused(where: dict[str, Any], pointer: str) -> None:
    """The error points at the condition."""
    with pytest.raises(InvalidWhere) as raised:
        parse(where)
    assert raised.value.errors[0].pointer == pointer


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.text() | JSON.map(json.dumps))
def test_any_text_is_conditions_or_refused(where: str) -> None:
    """Whatever is sent, nothing else is raised."""
    found: tuple[Condition, ...] = ()
    with contextlib.suppress(InvalidWhere):
        found = parse(where)
    assert all(isinstance(one, Condition) for one in found)


@given(st.text())
def test_any_name_is_a_path_or_refused(name: str) -> None:
    """A path has 1 to 8 keys, none of them empty."""
    try:
        path = path_of(name)
    except ValueError:
        return
    assert 1 <= len(path) <= 8
    assert all(path)
