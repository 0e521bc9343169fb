"""`fields=`: what of a body is left."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidInput
from gateway.trimming import tree_of, trimmed

BODY = {
    "title": "a",
    "address": {"city": "Bonn", "zip": 1},
    "days": [{"n": 1, "m": 2}, 3],
    "x": None,
}


@pytest.mark.parametrize(
    ("fields", "left"),
    [
        ("title", {"title": "a"}),
        ("title, /address/city", {"title": "a", "address": {"city": "Bonn"}}),
        ("address,address.city", {"address": {"city": "Bonn", "zip": 1}}),
        ("address.city,address", {"address": {"city": "Bonn", "zip": 1}}),
        ("days.n", {"days": [{"n": 1}]}),
        ("x,missing,title.more", {"x": None}),
    ],
)
def test_only_the_named_paths_are_left(fields: str, left: object) -> None:
    """A shorter path keeps all below it; below lists each element is trimmed."""
    assert json.loads(trimmed(json.dumps(BODY), tree_of(fields))) == left


@pytest.mark.parametrize("fields", ["", ",", "a..b", "a\0", ",".join("abc" * 20)])
def test_what_names_no_path_is_refused(fields: str) -> None:
    """Nothing at all, empty keys, NUL, and too many."""
    with pytest.raises(InvalidInput):
        tree_of(fields)


@given(st.text())
def test_any_text_trims_or_is_refused(fields: str) -> None:
    """And what is left is JSON."""
    left = "{}"
    with contextlib.suppress(InvalidInput):
        left = trimmed(json.dumps(BODY), tree_of(fields))
    assert isinstance(json.loads(left), dict)
