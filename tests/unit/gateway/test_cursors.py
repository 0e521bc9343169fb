"""Cursors: opaque, signed, bound to their list."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cursors import Cursors
from gateway.errors import Malformed

CURSORS = Cursors("a secret of sixteen")


@given(st.lists(st.integers() | st.text(), min_size=1), st.text())
def test_a_cursor_gives_its_position_back(position: list[int | str], bound: str) -> None:
    """What was sealed for a list is opened for it."""
    assert CURSORS.open(CURSORS.seal(position, "list", bound), "list", bound) == position


@given(st.text(max_size=60))
def test_what_was_not_sealed_is_refused(text: str) -> None:
    """No other text opens."""
    with pytest.raises(Malformed):
        CURSORS.open(text, "list")


@given(st.lists(st.integers() | st.text(), min_size=1))
def test_a_cursor_has_one_form(position: list[int | str]) -> None:
    """What Base64 reads the same is refused: padding, strange characters, bits beyond the end."""
    cursor = CURSORS.seal(position, "list")
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for added in ("!!!!", "\n", "=", "====", "A"):
        for other in (cursor + added, added + cursor):
            with pytest.raises(Malformed):
                CURSORS.open(other, "list")
    for last in set(letters) - {cursor[-1]}:
        with pytest.raises(Malformed):
            CURSORS.open(cursor[:-1] + last, "list")


def test_a_cursor_of_another_list_or_secret_is_refused() -> None:
    """Neither another query nor another installation opens it."""
    cursor = CURSORS.seal([1], "list", "a")
    for other in (lambda: CURSORS.open(cursor, "list", "b"), lambda: CURSORS.open(cursor, "list")):
        with pytest.raises(Malformed):
            other()
    with pytest.raises(Malformed):
        Cursors("another secret of it").open(cursor, "list", "a")


@given(st.text())
def test_any_text_that_was_not_sealed_is_refused(cursor: str) -> None:
    """As malformed, and in no other way."""
    with pytest.raises(Malformed):
        CURSORS.open(cursor, "objects", "gpt")


def test_what_a_query_says_cannot_be_taken_for_a_position() -> None:
    """Nor for another part of what the cursor is bound to."""
    whole = CURSORS.seal([1], "list", "q\x1emore")
    data = base64.urlsafe_b64decode(whole + "=" * (-len(whole) % 4))
    moved = base64.urlsafe_b64encode(data[:12] + b"more\x1e" + data[12:]).decode()
    for cursor, bound in ((moved, ("list", "q")), (CURSORS.seal([1], "a\x1fb"), ("a", "b"))):
        with pytest.raises(Malformed):
            CURSORS.open(cursor, *bound)
