"""Passages: their text is what their offsets say."""

import itertools
import re

from hypothesis import given
from hypothesis import strategies as st

from gateway.highlights import PASSAGE_CHARS, PASSAGES, passages, spans

WORDS = st.lists(st.sampled_from(["river", "slow", "ünï", "a", "longword" * 40, "\n", "  "]))


def marked(text: str) -> str:
    """Returns: the text with each river between markers."""
    return re.sub("river", "<o>river<c>", text)


def test_spans_are_counted_without_the_markers() -> None:
    """Offsets are those of the text as it was."""
    assert spans(marked("a river, a river"), "<o>", "<c>") == [(2, 7), (11, 16)]


def test_markers_without_a_twin_are_passed_over() -> None:
    """A closing marker alone, or none at all, gives no span."""
    assert spans("a<c>b<o>c", "<o>", "<c>") == []
    assert spans("", "<o>", "<c>") == []


@given(WORDS, st.integers(0, 1000))
def test_passages_are_parts_of_the_page(words: list[str], offset: int) -> None:
    """Text, offsets and matches agree; there are one to three passages that do not overlap."""
    text = " ".join(words)
    found = passages(text, spans(marked(text), "<o>", "<c>"), 3, offset)
    assert 1 <= len(found) <= PASSAGES
    for one in found:
        assert text[one.start - offset : one.end - offset] == one.text
        assert {text[m.start - offset : m.end - offset] for m in one.matches} <= {"river"}
        assert all(one.start <= match.start < match.end <= one.end for match in one.matches)
        assert len(one.text) <= PASSAGE_CHARS
    assert all(a.end <= b.start for a, b in itertools.pairwise(found))


def test_the_passages_with_most_matches_are_chosen_in_order() -> None:
    """Of many places the richest are shown, in the order of the text."""
    gap = "x " * 200
    text = f"river {gap}river river {gap}river {gap}river river river end"
    found = passages(text, spans(marked(text), "<o>", "<c>"), 1, 0)
    assert [len(one.matches) for one in found] == [1, 2, 3]


def test_words_are_not_broken_at_the_ends() -> None:
    """A passage begins and ends between words."""
    text = " ".join(f"word{number}" for number in range(200)).replace("word100", "river")
    [one] = passages(text, spans(marked(text), "<o>", "<c>"), 1, 0)
    assert set(one.text.split()) <= set(text.split())
