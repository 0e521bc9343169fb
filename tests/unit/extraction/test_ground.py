"""Where values are found in pages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.extraction.ground import Ground
from streams.extraction.wording import squeeze
from streams.parsing.page import Page, TextSource, Word


def _place(text: str, value: str, **wishes: object) -> tuple[str, str | None, int]:
    found = Ground([Page(1, text)]).locate(value, **wishes)  # type: ignore[arg-type]
    shown = text[found.place.start : found.place.end] if found.place else None
    return found.grounding, shown, found.occurrences


@pytest.mark.parametrize(
    ("text", "value", "grounding", "shown"),
    [
        ("Total 9.00", "9.00", "exact", "9.00"),
        ("Invoice INV-7", "inv 7", "loose", "INV-7"),
        (
            "12, Mill Lane\n     Norwich",
            "12, Mill Lane Norwich",
            "loose",
            "12, Mill Lane\n     Norwich",
        ),
        ("Stra\u00dfe 5", "STRASSE 5", "loose", "Stra\u00dfe 5"),
        ("cafe\u0301 bar", "caf\u00e9", "loose", "cafe\u0301"),
        (
            "\u05e9\u05c1\u05dc\u05d5\u05dd 12",
            "\u05e9\u05dc\u05d5\u05dd",
            "loose",
            "\u05e9\u05c1\u05dc\u05d5\u05dd",
        ),
        ("25/12/20188:13PM", "25/12/2018", "loose", "25/12/2018"),
        ("\ufb01nal \ufb01gure x", "figure", "loose", "\ufb01gure"),
    ],
)
def test_a_value_is_found(text: str, value: str, grounding: str, shown: str) -> None:
    """As it is, or ignoring case, spaces, punctuation and accents, with offsets into the text."""
    assert _place(text, value)[:2] == (grounding, shown)


@pytest.mark.parametrize("value", ["8.00", "", "  ", "\u20ac", "..."])
def test_a_value_that_is_not_there_is_absent(value: str) -> None:
    """What does not stand in the text, and what has no letters, has no place."""
    assert _place("Total 9.00", value) == ("absent", None, 0)


def test_a_part_of_a_longer_number_is_not_the_number() -> None:
    """`9.00` in `19.00` counts only where nothing better is found, and then loosely."""
    assert _place("19.00 and 9.00", "9.00") == ("exact", "9.00", 1)
    assert _place("1,239.00", "239.00")[0] == "loose"


def test_the_occurrence_behind_a_label_is_taken() -> None:
    """Of equal values the one beside the field's label is meant."""
    text = "Cash   20.00\nTotal  20.00\nChange 0.00"
    found = Ground([Page(1, text)]).locate("20.00", labels=["total"])
    assert found.place is not None
    assert (found.place.start, found.occurrences) == (text.rindex("20.00"), 2)


def test_the_pages_that_the_model_saw_come_first() -> None:
    """A value from the second window is placed there, although it also stands before."""
    ground = Ground([Page(1, "A 5"), Page(2, "A 5")])
    found = ground.locate("A 5", pages=range(1, 2))
    assert found.place is not None
    assert found.place.page == 2


def test_a_value_on_a_scanned_page_has_a_box_and_its_weakest_word() -> None:
    """The box surrounds the words, the confidence is that of the least sure one."""
    words = (
        Word("ACME", 0, 4, (0.1, 0.1, 0.2, 0.15), 0.9),
        Word("LTD", 5, 8, (0.3, 0.1, 0.4, 0.16), 0.6),
        Word("else", 9, 13, (0.0, 0.5, 0.1, 0.6), 0.1),
    )
    page = Page(3, "ACME LTD else", TextSource.OCR, words, 0.7)
    found = Ground([page]).locate("Acme Ltd")
    assert found.ocr_confidence == 0.6
    assert found.place is not None
    assert (found.place.page, found.place.box) == (3, (0.1, 0.1, 0.4, 0.16))


def test_a_page_of_text_has_no_box() -> None:
    """Without OCR there is no confidence of it, which is not the same as none."""
    found = Ground([Page(1, "ACME")]).locate("ACME")
    assert found.ocr_confidence == "unavailable"
    assert found.place is not None
    assert found.place.box is None


def test_labels_are_sought_as_words_of_their_own() -> None:
    """`date` does not stand in `updated`."""
    ground = Ground([Page(1, "updated  Total-Sum")])
    assert not ground.mentions(["date"])
    assert ground.mentions(["date", "total sum"])


@given(st.text(max_size=60), st.data())
def test_every_piece_of_a_text_is_found_in_it(text: str, data: st.DataObject) -> None:
    """A piece with a letter or digit is always found, at a place that holds the same letters."""
    start = data.draw(st.integers(0, len(text)))
    piece = text[start : data.draw(st.integers(start, len(text)))]
    found = Ground([Page(1, text)]).locate(piece)
    if squeeze(piece):
        assert found.place is not None
        assert squeeze(piece) in squeeze(text[found.place.start : found.place.end])
