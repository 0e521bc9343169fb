"""Texts that Postgres cannot store are found wherever they stand."""

import pytest

from schemas.json_values import NotStorable, check, holds_unstorable

WRONG = ["a\0", "\ud800", {"\0": 1}, {"\udfff": 1}, [{"a": ("\0",)}]]


@pytest.mark.parametrize("value", WRONG)
def test_what_cannot_be_stored_is_found_anywhere(value: object) -> None:
    """NUL and halves of surrogate pairs, in names and values at any depth."""
    assert holds_unstorable(value)
    with pytest.raises(NotStorable):
        check(value)


@pytest.mark.parametrize("value", [{"a": [1, "b", None]}, "\U0001f600", "\x01", 1.5])
def test_all_else_is_taken(value: object) -> None:
    """Other text, whole surrogate pairs, numbers and nulls."""
    assert not holds_unstorable(value)
    check(value)
