"""Plain text, Markdown, HTML and CSV: what a reader sees, whatever the bytes."""

from collections.abc import Callable

import pytest

from streams.parsing.detect import CSV, HTML, MARKDOWN, PLAIN
from streams.parsing.errors import Unparsable
from streams.parsing.page import ParsedPart

Parse = Callable[..., ParsedPart]
Refusal = Callable[..., Unparsable]

HEBREW = "שלום עולם"
COMBINING = "cafe\u0301 Ångström n\u0303andu\u0301"


@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_unicode_in_any_dress_is_read(parse: Parse, charset: str) -> None:
    """With and without a byte order mark."""
    text = "Grüße aus München, 12,50 € in total"
    assert parse(text.encode(charset), PLAIN).pages[0].text == text


def test_old_windows_text_is_read(parse: Parse) -> None:
    """What is no UTF-8 at all is Windows-1252, and this is noted."""
    part = parse("Grüße, 12 €".encode("cp1252"), PLAIN)
    assert part.pages[0].text == "Grüße, 12 €"
    assert "Windows-1252" in part.notes[0]


def test_a_few_bad_bytes_leave_the_rest_of_utf8_alone(parse: Parse) -> None:
    """Invalid bytes are replaced, the characters around them stay."""
    part = parse("Müller und Söhne".encode() + b" \xff " + "Größe".encode(), PLAIN)
    assert part.pages[0].text == "Müller und Söhne \ufffd Größe"
    assert part.notes


def test_nul_bytes_are_removed_and_noted(parse: Parse) -> None:
    """No store takes them."""
    part = parse(b"Total\x00 12\x00.00\nok", PLAIN)
    assert part.pages[0].text == "Total 12.00\nok"
    assert part.notes == ("NUL bytes were removed.",)


def test_right_to_left_and_combining_text_is_kept(parse: Parse) -> None:
    """Nothing is reordered or composed: every offset is that of the text as it was written."""
    text = f"{HEBREW}\n{COMBINING}\n\u200f{HEBREW}: 12\u200e"
    page = parse(text.encode(), PLAIN).pages[0]
    assert page.text == text
    assert page.text[page.text.index("n\u0303") :][:2] == "n\u0303"


def test_form_feeds_make_pages_and_line_ends_are_one(parse: Parse) -> None:
    """Text made for a printer has pages."""
    part = parse(b"one\r\ntwo\rthree\fnext\n\f", PLAIN)
    assert [page.text for page in part.pages] == ["one\ntwo\nthree", "next"]


def test_long_text_is_split_between_paragraphs(parse: Parse) -> None:
    """No page is above the limit and no word is lost or cut."""
    paragraphs = [f"Paragraph {number} " + "word " * 30 for number in range(40)]
    part = parse("\n\n".join(paragraphs).encode(), PLAIN, page_chars=1000)
    assert all(len(page.text) <= 1000 for page in part.pages)
    assert all(page.text.startswith("Paragraph") for page in part.pages)
    assert [page.number for page in part.pages] == list(range(1, part.page_count + 1))
    words = " ".join(page.text for page in part.pages).split()
    assert words == " ".join(paragraphs).split()


def test_a_line_without_any_space_is_split_all_the_same(parse: Parse) -> None:
    """A cut never parts a letter from its accent."""
    text = "e\u0301" * 2000
    part = parse(text.encode(), PLAIN, page_chars=999)
    assert "".join(page.text for page in part.pages) == text
    assert not any(page.text.startswith("\u0301") for page in part.pages)


def test_text_beyond_the_limits_is_refused(refusal: Refusal) -> None:
    """In bytes, and in pages."""
    assert refusal(b"x" * 2000, PLAIN, max_text_bytes=1000).code == "text_too_long"
    assert refusal(b"word " * 2000, PLAIN, page_chars=100, max_pages=5).code == "text_too_long"


@pytest.mark.parametrize("content_type", [PLAIN, MARKDOWN, HTML, CSV])
@pytest.mark.parametrize("content", [b"", b" \n\t\r\n ", b"\x00\x00\x00", b"\xef\xbb\xbf"])
def test_nothing_but_space_is_refused(refusal: Refusal, content_type: str, content: bytes) -> None:
    """A file without a visible character is empty."""
    assert refusal(content, content_type).code == "empty_file"


def test_markdown_is_read_as_it_is_shown(parse: Parse) -> None:
    """Marks go, text and table columns stay, code is untouched."""
    source = (
        "# Offer *No. 5*\n\nDear **Ms Ray**, see [our site](https://example.com).\n\n"
        "| Item | Price |\n|:-----|------:|\n| Chair | 70.00 |\n| Desk \\| oak | 120.00 |\n\n"
        "```\na = b * c * d\n```\nsnake_case_name stays, 2 * 3 * 4 too\n"
    )
    part = parse(source.encode(), MARKDOWN)
    assert part.title == "Offer No. 5"
    assert part.pages[0].text == (
        "Offer No. 5\n\nDear Ms Ray, see our site (https://example.com).\n\n"
        "Item        Price\nChair       70.00\nDesk | oak  120.00\n\n"
        "a = b * c * d\nsnake_case_name stays, 2 * 3 * 4 too"
    )


def test_html_is_read_as_it_is_shown(parse: Parse) -> None:
    """Scripts, styles and hidden parts are not seen; blocks are lines; tables have columns."""
    source = (
        "<!doctype html><title>A  page</title><style>p{}</style><body><h1>Head</h1>"
        "<p>One <b>bold</b>\n word<br>next<script>evil()</script><span hidden>no</span>"
        "<i style='display : none'>no</i></p><table><tr><th>Item<th>Price</tr>"
        "<tr><td rowspan=2>Chair<td>70.00</tr><tr><td>12.00</tr></table>"
        "<ul><li>first<li>second</ul><ol><li>step<li>next</ol>"
        "<dl><dt>No.<dd>17<dt>Date of<br>issue<dd>today<dd>now</dl>"
        "<input value='filled in'><input type=hidden value=no>"
        "<img src='http://127.0.0.1:9/never' alt=no>"
    )
    part = parse(source.encode(), HTML)
    assert part.title == "A page"
    assert part.pages[0].text == (
        "Head\n\nOne bold word\nnext\n\nItem   Price\nChair  70.00\n       12.00\n\n"
        "- first\n- second\n\n1. step\n2. next\n\n"
        "No.      17\nDate of  today\nissue\n         now\n\nfilled in"
    )


def test_html_names_its_charset(parse: Parse) -> None:
    """The page's own declaration is believed when the bytes are no UTF-8."""
    source = '<meta charset="iso-8859-7"><p>Ελλάδα</p>'
    assert parse(source.encode("iso-8859-7"), HTML).pages[0].text == "Ελλάδα"


def test_deeply_nested_html_is_read(parse: Parse) -> None:
    """No depth of nesting ends the parser."""
    for source in ("<div>" * 3000, "<table><tr><td>" * 500, "<dl><dd>" * 500, "<ol><li>" * 500):
        assert parse(f"{source}deep".encode(), HTML).pages[0].text.split()[-1] == "deep"


@pytest.mark.parametrize("piece", ["<div>", "<dl><dt>", "<ol><li>", "<b><span>"])
def test_html_nested_beyond_all_measure_is_refused(refusal: Refusal, piece: str) -> None:
    """It would take the parser hours."""
    assert refusal(piece.encode() * 100_000, HTML).code == "corrupt"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_becomes_aligned_columns(parse: Parse, delimiter: str) -> None:
    """Whatever the delimiter, quoted cells with delimiters and line ends included."""
    rows = [["Item", "Price"], [f'"Chair{delimiter} oak"', "70.00"], ['"two\nlines"', "5"]]
    source = "\r\n".join(delimiter.join(row) for row in rows)
    lines = parse(source.encode(), CSV).pages[0].text.split("\n")
    assert [line.split()[-1] for line in lines] == ["Price", "70.00", "5", "lines"]
    assert lines[0].index("Price") == lines[1].index("70.00") == lines[2].index("5")


def test_a_wide_csv_is_split_and_not_blown_up(parse: Parse) -> None:
    """Thousands of columns, and one long cell in each, do not multiply the text by padding."""
    rows = [["x"] * 2000 for _ in range(30)]
    rows[0] = ["a long cell of forty characters or there"] * 2000
    source = "\n".join(",".join(row) for row in rows)
    part = parse(source.encode(), CSV)
    assert sum(len(page.text) for page in part.pages) < 4 * len(source)
    assert all(len(page.text) <= 6000 for page in part.pages)


def test_a_long_csv_is_split_between_rows(parse: Parse) -> None:
    """Every line of every page is a whole row."""
    source = "\n".join(f"{number},name {number},{number}.00" for number in range(2000))
    part = parse(source.encode(), CSV)
    lines = [line for page in part.pages for line in page.text.split("\n")]
    assert [line.split()[0] for line in lines] == [str(number) for number in range(2000)]
    assert part.page_count > 5
