"""Tokens join to the text again, and their log probabilities follow the pieces."""

from hypothesis import given
from hypothesis import strategies as st

from local.models import tokens
from local.models.tokens import Piece


@given(st.text())
def test_joined_tokens_are_the_text(text: str) -> None:
    """Nothing is lost or added, whatever the text."""
    assert "".join(tokens.split(text)) == text
    assert tokens.count(text) == len(tokens.split(text))


@given(st.text(), st.integers(min_value=0, max_value=20))
def test_cut_keeps_a_beginning_of_so_many_tokens(text: str, limit: int) -> None:
    """A cut text is a prefix with at most the limit."""
    kept = tokens.cut(text, limit)
    assert text.startswith(kept)
    assert tokens.count(kept) <= limit
    assert kept == text or tokens.count(kept) == limit


def test_each_token_of_a_piece_has_its_log_probability() -> None:
    """The mean over a value's tokens is the value's."""
    found = tokens.tokenise([Piece("{"), Piece("Harbour Foods", -0.5)])
    assert [piece.text for piece in found] == ["{", "Harbou", "r", " Foods"]
    assert [piece.logprob for piece in found] == [0.0, -0.5, -0.5, -0.5]


def test_structure_is_one_token() -> None:
    """Neighbouring fixed pieces join, so that a limit on tokens is left to the content."""
    pieces = [Piece('{"a": ', fixed=True), Piece('"', fixed=True), Piece("b c", -0.5)]
    assert [token.text for token in tokens.tokenise(pieces)] == ['{"a": "', "b", " c"]
