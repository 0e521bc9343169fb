"""The layout of lines that an engine read, without any engine."""

import math

import pytest

from streams.parsing.ocr.layout import lay_out
from streams.parsing.ocr.line import Line, Point, Quad

SIZE = (800, 600)
SIGN = 10.0
HEIGHT = 20.0


def at(
    text: str, left: float, top: float, *, angle: float = 0.0, centre: Point = (400.0, 300.0)
) -> Line:
    """Return `text` in a fixed pitch of 10 pixels, turned by `angle` degrees about `centre`."""
    right, bottom = left + SIGN * len(text), top + HEIGHT
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))

    def turn(x: float, y: float) -> Point:
        across, down = x - centre[0], y - centre[1]
        return (
            centre[0] + across * cosine - down * sine,
            centre[1] + across * sine + down * cosine,
        )

    quad: Quad = (turn(left, top), turn(right, top), turn(right, bottom), turn(left, bottom))
    places = tuple((number + 0.5) / len(text) for number in range(len(text)))
    return Line(text, quad, places, tuple(0.9 for _ in text))


RECEIPT = (
    ("Bread and butter", 50.0, 100.0),
    ("12.50", 400.0, 103.0),
    ("Coffee", 50.0, 130.0),
    ("3.00", 410.0, 128.0),
    ("Total", 50.0, 160.0),
    ("15.50", 400.0, 162.0),
)


def printed(angle: float = 0.0) -> list[list[str]]:
    """Return the cells of each printed row of a receipt turned by `angle` degrees."""
    text, _ = lay_out([at(*line, angle=angle) for line in RECEIPT], SIZE)
    return [[cell.strip() for cell in row.split("  ") if cell.strip()] for row in text.split("\n")]


ROWS = [["Bread and butter", "12.50"], ["Coffee", "3.00"], ["Total", "15.50"]]


@pytest.mark.parametrize("angle", [0, 3, -7, 15, 90, 180, 270, 187])
def test_rows_at_any_angle(angle: float) -> None:
    """A label and its amount stand on one row, however the page is turned."""
    assert printed(angle) == ROWS


def test_columns_line_up() -> None:
    """Amounts that are right-aligned in print end in the same column of the text."""
    text, _ = lay_out([at(*line) for line in RECEIPT], SIZE)
    assert {len(row) for row in text.split("\n")} == {40}


def test_a_space_is_not_a_column() -> None:
    """Two pieces as far apart as words are joined by one space."""
    text, _ = lay_out([at("Grand", 50, 100), at("Total", 110, 100)], SIZE)
    assert text == "Grand Total"


def test_indent_and_blank_line() -> None:
    """What is printed further right is indented, and a vertical gap is one blank line."""
    lines = [at("ab", 0, 0), at("cd", 40, 25), at("ef", 0, 50), at("gh", 0, 200)]
    assert lay_out(lines, SIZE)[0] == "ab\n    cd\nef\n\ngh"


def test_close_rows_stay_apart() -> None:
    """Pieces above each other never share a row, even where their boxes overlap."""
    text, _ = lay_out([at("above here", 50, 100), at("below here", 50, 108)], SIZE)
    assert text == "above here\nbelow here"


def test_words_know_their_places() -> None:
    """Each word's offsets cut it out of the text, and its box lies where it was printed."""
    text, words = lay_out([at(*line) for line in RECEIPT], SIZE)
    assert [text[word.start : word.end] for word in words] == [word.text for word in words]
    butter = next(word for word in words if word.text == "butter")
    assert butter.box == pytest.approx((150 / 800, 100 / 600, 210 / 800, 120 / 600))
    assert butter.confidence == pytest.approx(0.9)


def test_gap_inside_a_line_is_kept() -> None:
    """A line that spans two columns is parted where its characters are far apart."""
    line = at("Cash 5.00", 0, 0)
    places = tuple(
        (place if number < 5 else place + 1.0) / 2 for number, place in enumerate(line.positions)
    )
    (left, _, _, low) = line.quad
    wide = Line(line.text, (left, (180.0, 0.0), (180.0, HEIGHT), low), places, line.confidences)
    others = [at(f"words in row {row}", 0, 25 * row) for row in range(1, 4)]
    row = lay_out([wide, *others], SIZE)[0].split("\n")[0]
    assert row.split() == ["Cash", "5.00"]
    assert "  " in row


def test_boxes_stay_on_the_page() -> None:
    """A line that leaves the page gives boxes within it."""
    _, words = lay_out([at("outside", -30, -5)], SIZE)
    assert words[0].box[:2] == (0.0, 0.0)


def test_nothing_read() -> None:
    """Without lines, or with empty ones, there is no text and no word."""
    blank = Line(" ", ((0, 0), (9, 0), (9, 9), (0, 9)), (0.5,), (0.9,))
    assert lay_out([], SIZE) == lay_out([blank], SIZE) == ("", ())


def test_a_point_is_laid_out() -> None:
    """A line without extent does not break the page."""
    point = Line("x", ((5, 5), (5, 5), (5, 5), (5, 5)), (0.5,), (0.9,))
    assert lay_out([point], SIZE)[0] == "x"
