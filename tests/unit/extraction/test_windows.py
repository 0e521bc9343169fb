"""Long documents in windows, and their answers put together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.extraction.merge import merge
from streams.extraction.reading import Reading, Value
from streams.extraction.windows import OVERLAP_LINES, Window, estimate_tokens, halve, split
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


_TEXTS = st.lists(
    st.lists(st.text(st.characters(exclude_characters="\n"), max_size=90), max_size=8).map(
        "\n".join
    ),
    max_size=4,
)


@given(_TEXTS, st.integers(16, 80), st.integers(0, 3))
def test_every_window_fits(texts: list[str], budget: int, overlap_lines: int) -> None:
    """Each window is within the budget and names the pages that its texts come from."""
    for window in split(_pages(*texts), budget, overlap_lines=overlap_lines):
        assert estimate_tokens("\f".join(window.texts)) <= budget + len(window.texts)
        assert len(window.texts) == len(window.pages)


@given(_TEXTS, st.integers(16, 80))
def test_nothing_is_left_out(texts: list[str], budget: int) -> None:
    """Without the shared lines, the windows of each page make up the page again."""
    shown = [""] * len(texts)
    for window in split(_pages(*texts), budget, overlap_lines=0):
        for index, text in zip(window.pages, window.texts, strict=True):
            shown[index] += text
    assert [text.replace("\n", "") for text in shown] == [text.replace("\n", "") for text in texts]


def test_a_window_is_halved_at_a_page() -> None:
    """Where the answer was too long for the model, it is asked about half as much."""
    first, second = halve(Window(("a", "b", "c"), range(4, 7), overlaps=True))
    assert first == Window(("a",), range(4, 5), overlaps=True)
    assert second == Window(("b", "c"), range(5, 7))


def test_a_window_of_one_page_is_halved_at_a_line() -> None:
    """The halves share lines, and each is shorter than the whole."""
    text = "\n".join(f"row {number} 12.50" for number in range(30))
    halves = halve(Window((text,), range(2, 3)))
    assert [half.overlaps for half in halves] == [False, *[True] * (len(halves) - 1)]
    assert all(half.pages == range(2, 3) for half in halves)
    assert all(estimate_tokens(half.texts[0]) < estimate_tokens(text) for half in halves)
    assert {line for half in halves for line in half.texts[0].split("\n")} == set(text.split("\n"))


def test_what_is_short_cannot_be_halved() -> None:
    """A model that overflows on a few lines will not do better on fewer."""
    assert halve(Window(("a few words",), range(1))) == []


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
