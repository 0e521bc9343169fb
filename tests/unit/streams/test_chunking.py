"""Chunks: nothing of a page is lost, and each knows its place."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.chunking import OVERLAP_TOKENS, TARGET_TOKENS, chunk, tokens
from streams.parsing.page import Page

SCRIPTS = "aé ß.\n\t!?;-€$ מ ש א ب ة \u0301\u0302 漢字 ก ้ \u202b 😀 \u00a0"
texts = st.text(st.sampled_from(SCRIPTS), max_size=1500) | st.lists(
    st.sampled_from(["word", "longer-word", "1,234.50", "\n", "\n\n", ". ", "مرحبا", "x" * 900]),
    max_size=400,
).map(" ".join)


@settings(max_examples=40)
@given(st.lists(texts, max_size=3))
def test_every_character_is_in_a_chunk(pages: list[str]) -> None:
    """All that is not blank is in a chunk of its own page, at the offsets that it names."""
    chunks = chunk([Page(number, text) for number, text in enumerate(pages, 1)])

    assert [each.ordinal for each in chunks] == list(range(len(chunks)))
    for number, text in enumerate(pages, 1):
        own = [each for each in chunks if each.page == number]
        assert all(each.text == text[each.start : each.end] for each in own)
        covered = {i for each in own for i in range(each.start, each.end)}
        assert all(i in covered for i, letter in enumerate(text) if letter.strip())
        assert all(each.text.strip() for each in own)


@settings(max_examples=40)
@given(texts)
def test_chunks_are_bounded_and_move_on(text: str) -> None:
    """None is much above the target, and each ends behind the one before."""
    chunks = chunk([Page(1, text)])

    assert all(tokens(each.text) <= TARGET_TOKENS + OVERLAP_TOKENS for each in chunks)
    for before, after in itertools.pairwise(chunks):
        assert before.start < after.start <= after.end
        assert before.end < after.end


def test_chunks_overlap() -> None:
    """A long text's chunks begin with the end of the one before."""
    text = " ".join(f"Sentence number {i} is here." for i in range(200))
    chunks = chunk([Page(1, text)])

    assert len(chunks) > 3
    assert all(b.start < a.end for a, b in itertools.pairwise(chunks))


@pytest.mark.parametrize("text", ["", " \n\t \n", "\u00a0\u2003"])
def test_blank_pages_have_no_chunks(text: str) -> None:
    """Nothing to find, nothing to embed."""
    assert chunk([Page(1, text)]) == []


def test_paragraphs_stay_whole() -> None:
    """A text is cut at its blank lines where they allow it."""
    paragraphs = ["word " * 60 + f"end{i}." for i in range(4)]
    chunks = chunk([Page(1, "\n\n".join(paragraphs))])

    assert all(each.text.startswith("word") for each in chunks)
    assert all(each.text.rstrip().endswith(".") for each in chunks)
