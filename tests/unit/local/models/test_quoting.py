"""Summaries and answers quote; they never say what the text does not."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from local.models import quoting, sentences

Embed = Callable[[Sequence[str]], NDArray[np.float32]]

LEASE = (
    "Lease of a garage\n\nThe landlord lets garage 14 to the tenant. The rent is 85.00 a month, "
    "payable on the first. Mr. Gray keeps the keys.\n\nThe tenant may end the lease with four "
    "weeks' notice.\n\nItem           Amount\nDeposit        170.00\n"
)


def test_prose_rows_and_items_are_cut_apart() -> None:
    """Abbreviations do not end a sentence, columns and headings stand alone."""
    assert sentences.split(LEASE) == [
        "Lease of a garage",
        "The landlord lets garage 14 to the tenant.",
        "The rent is 85.00 a month, payable on the first.",
        "Mr. Gray keeps the keys.",
        "The tenant may end the lease with four weeks' notice.",
        "Item Amount",
        "Deposit 170.00",
    ]


def test_a_list_is_cut_into_its_items() -> None:
    """Marked and numbered lines, and labels with their values, are sentences of their own."""
    text = "Agenda:\n- apples and pears\n- plums\n2) cherries\nChair: Ann Lee"
    assert len(sentences.split(text)) == 5


def test_an_address_is_not_run_into_one_sentence() -> None:
    """Short lines that begin with capitals or numbers stay apart; wrapped prose is joined."""
    text = (
        "Salt Road Museum\n2 Harbour Steps\nSaltby SB99 1MM\n\n"
        "We thank you for the photographs that you\nlent us in 2025. More than four thousand "
        "people\n"
        "came on 3. March."
    )
    assert sentences.split(text) == [
        "Salt Road Museum",
        "2 Harbour Steps",
        "Saltby SB99 1MM",
        "We thank you for the photographs that you lent us in 2025.",
        "More than four thousand people came on 3. March.",
    ]


def test_a_stretch_without_an_end_is_cut_between_words() -> None:
    """No sentence is longer than the limit, and nothing is lost."""
    text = "word " * 400
    parts = sentences.split(text)
    assert all(len(part) <= sentences.MAX_SENTENCE for part in parts)
    assert " ".join(parts) == text.strip()


@given(st.text(alphabet="ab .\n-:1\f\u00e9", max_size=200))
@settings(max_examples=200)
def test_sentences_are_verbatim_but_for_white_space(text: str) -> None:
    """Every sentence stands in the text, in order."""
    flat = " ".join(text.split())
    at = 0
    for sentence in sentences.split(text):
        at = flat.index(sentence, at) + len(sentence)
    assert at <= len(flat)


def test_a_summary_is_made_of_the_sentences_of_the_text(embed: Embed) -> None:
    """Each of its sentences is verbatim, and they keep their order."""
    summary = quoting.summarise(LEASE, embed)
    parts = sentences.split(summary)
    flat = " ".join(LEASE.split())
    assert parts
    assert [flat.index(part) for part in parts] == sorted(flat.index(part) for part in parts)


def test_a_long_text_has_a_short_summary(embed: Embed) -> None:
    """Ninety words or one sentence."""
    text = " ".join(f"Sentence number {n} speaks of harvest {n} and storage." for n in range(300))
    assert len(quoting.summarise(text, embed).split()) <= 90


@pytest.mark.parametrize("text", ["", " \n", "... --- ..."])
def test_nothing_has_an_empty_summary(text: str, embed: Embed) -> None:
    """No text, no words."""
    assert quoting.summarise(text, embed) == ""


def test_an_answer_quotes_what_bears_on_the_question(embed: Embed) -> None:
    """The sentence with the rent answers the question for the rent."""
    reply = quoting.answer("How much is the rent a month?", [LEASE], embed)
    assert reply == "The rent is 85.00 a month, payable on the first."


@pytest.mark.parametrize("question", ["Which planets have rings?", ""])
def test_what_the_text_does_not_tell_is_not_answered(question: str, embed: Embed) -> None:
    """The one honest sentence stands for no answer."""
    assert quoting.answer(question, [LEASE], embed) == quoting.NOTHING
