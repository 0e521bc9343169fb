"""Long documents in windows, and their answers put together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.extraction.merge import merge
from streams.extraction.reading import Reading, Value
from streams.extraction.windows import OVERLAP_LINES, estimate_tokens, split
from streams.parsing.page import Page


def _pages(*texts: str) -> list[Page]:
    return [Page(number, text) for number, text in enumerate(texts, 1)]


@pytest.mark.parametrize(
    ("text", "least"),
    [
        ("", 0),
        ("1234567", 7),
        ("hello world", 2),
        ("a\n\nb", 3),
        ("\u00e4\u6f22", 2),
        ("\U0001f600", 2),
    ],
)
def test_tokens_are_estimated_on_the_safe_side(text: str, least: int) -> None:
    """Digits count one each, other scripts by their bytes."""
    assert least <= estimate_tokens(text) <= 2 * len(text)


def test_a_document_that_fits_is_one_window() -> None:
    """Nothing is split without need."""
    [window] = split(_pages("one", "two"), 100)
    assert (window.texts, window.pages, window.overlaps) == (("one", "two"), range(2), False)


def test_windows_end_at_pages() -> None:
    """Whole pages are kept together as long as they fit."""
    page = "word " * 30
    windows = split(_pages(page, page, page), 2 * estimate_tokens(page) + 5)
    assert [window.pages for window in windows] == [range(2), range(2, 3)]
    assert not any(window.overlaps for window in windows)


def test_a_page_that_is_too_long_is_split_at_lines_which_overlap() -> None:
    """The last lines of a window are the first of the next; the rest of the page is followed on."""
    lines = [f"line {number}" for number in range(40)]
    windows = split(_pages("first", "\n".join(lines), "last"), 60)
    cut = [window for window in windows if window.overlaps]
    assert cut
    for before, after in zip(windows[1:], cut, strict=False):
        ending = before.texts[-1].split("\n")[-OVERLAP_LINES:]
        assert after.texts[0].split("\n")[:OVERLAP_LINES] == ending
    assert windows[-1].texts[-1] == "last"


def test_a_budget_without_room_is_refused() -> None:
    """Better an error than a window of single characters."""
    with pytest.raises(ValueError, match="no room"):
        split(_pages("x"), 15)


@given(
    st.lists(
        st.lists(st.text(st.characters(exclude_characters="\n"), max_size=90), max_size=8),
        max_size=4,
    ),
    st.integers(16, 80),
)
def test_nothing_is_left_out_and_every_window_fits(texts: list[list[str]], budget: int) -> None:
    """Every character of every page is in a window of its page, in order, within the budget."""
    pages = _pages(*("\n".join(lines) for lines in texts))
    windows = split(pages, budget)
    assert sum(len(window.texts) for window in windows) >= len(pages)
    for window in windows:
        assert estimate_tokens("\f".join(window.texts)) <= budget + len(window.texts)
    for index, page in enumerate(pages):
        shown = "\n".join(
            text
            for window in windows
            if index in window.pages
            for text in [window.texts[index - window.pages.start]]
        )
        for line in page.text.split("\n"):
            assert line in shown or line in shown.replace("\n", "")


def _reading(topic: Value, *rows: str, overlaps: bool = False) -> Reading:
    cells = [{"a": Value(row), "b": Value(row * 2)} for row in rows]
    return Reading({"topic": topic, "rows": cells}, overlaps=overlaps)


def test_the_surest_value_wins() -> None:
    """A higher score outweighs standing first, about the same does not; null never wins."""
    low, high, same = Value("low", 0.5), Value("high", 0.9), Value("same", 0.91)
    null = Value(None, 0.99)
    assert merge([_reading(low), _reading(high)]).fields["topic"] == high
    assert merge([_reading(high), _reading(same)]).fields["topic"] == high
    assert merge([_reading(null), _reading(low), _reading(null)]).fields["topic"] == low
    assert merge([_reading(null), _reading(null)]).fields["topic"] == null


def _rows(*readings: Reading) -> list[str | None]:
    rows = merge(readings).fields["rows"]
    assert isinstance(rows, list)
    return [row["a"].text for row in rows if isinstance(row, dict)]


def test_rows_are_joined_in_order() -> None:
    """Equal rows of windows that share no lines are two rows."""
    assert _rows(_reading(Value(None), "x", "y"), _reading(Value(None), "y", "z")) == [
        "x",
        "y",
        "y",
        "z",
    ]


def test_rows_read_twice_are_taken_once() -> None:
    """Where windows share lines, the rows in them count once, also if one was cut."""
    before = _reading(Value(None), "x", "y", "z")
    after = _reading(Value(None), "y", "z", "w", overlaps=True)
    assert _rows(before, after) == ["x", "y", "z", "w"]
    short = Reading({**before.fields, "rows": [{"a": Value("z"), "b": Value(None)}]})
    after = _reading(Value(None), "z", "w", overlaps=True)
    merged = merge([short, after]).fields["rows"]
    assert isinstance(merged, list)
    assert merged[0] == {"a": Value("z"), "b": Value("zz")}


def test_lists_of_texts_are_joined() -> None:
    """Entries behave as rows of one column."""
    first, second = (
        Reading({"tags": [Value("a"), Value("b")]}),
        Reading({"tags": [Value("b"), Value("c")]}, overlaps=True),
    )
    assert merge([first, second]).fields["tags"] == [Value("a"), Value("b"), Value("c")]
    assert merge([Reading({"tags": []}), Reading({"tags": []})]).fields["tags"] == []
