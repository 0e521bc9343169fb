"""Content types: by content, with the name deciding only between kinds of text."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import docx
import pytest
from PIL import Image

from streams.parsing import detect
from streams.parsing.errors import Unparsable, UnsupportedType

Detect = Callable[..., str]
MAIL = b"Received: by mx\nFrom: a@example.com\nTo: b@example.com\nSubject: s\n\nbody\n"
LETTER = b"From: Ann Ray\nTo: Bob Lee\nSubject: the roof\n\nDear Bob,\n"
TABLE = b"item,qty,price\nchair,1,70.00\ndesk,2,120.00\n"
NOTES = b"# Minutes\n\n- one\n- two\n\nSee [the plan](https://example.com).\n"


@pytest.fixture
def kind(tmp_path: Path) -> Detect:
    """Return a function from content and name to a content type."""

    def run(content: bytes, name: str | None = None) -> str:
        path = tmp_path / "upload"
        path.write_bytes(content)
        return detect.detect(path, name)

    return run


def encoded(form: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (10, 10)).save(buffer, form)
    return buffer.getvalue()


def packed(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, "x" * 100)
    return buffer.getvalue()


@pytest.mark.parametrize("name", [None, "invoice.txt", "photo.exe", "table.csv", "page.html"])
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"%PDF-1.7\n...", detect.PDF),
        (b"junk before it\n%PDF-1.4\n...", detect.PDF),
        (encoded("PNG"), detect.PNG),
        (encoded("JPEG"), detect.JPEG),
        (encoded("TIFF"), detect.TIFF),
        (encoded("WEBP"), detect.WEBP),
        (packed("[Content_Types].xml", "word/document.xml"), detect.DOCX),
        (b"\xef\xbb\xbf <!-- c -->\n<!DOCTYPE html><p>x", detect.HTML),
        ("<HTML><p>x".encode("utf-16"), detect.HTML),
        (b"Return-Path: <a@b>\r\n" + MAIL, detect.EML),
    ],
)
def test_the_content_decides(kind: Detect, content: bytes, expected: str, name: str | None) -> None:
    """A wrong extension changes nothing."""
    assert kind(content, name) == expected


def test_a_document_of_the_word_processor_is_known(kind: Detect, tmp_path: Path) -> None:
    """As the library writes it."""
    docx.Document().save(str(tmp_path / "made.docx"))
    assert kind((tmp_path / "made.docx").read_bytes()) == detect.DOCX


@pytest.mark.parametrize(
    ("content", "name", "expected"),
    [
        (b"Just some words.", None, detect.PLAIN),
        (b"Just some words.", "note.pdf", detect.PLAIN),
        (b"Just some words.", "note.md", detect.MARKDOWN),
        (NOTES, None, detect.MARKDOWN),
        (NOTES, "notes.txt", detect.PLAIN),
        (TABLE, None, detect.CSV),
        (TABLE, "table.txt", detect.PLAIN),
        (TABLE.replace(b",", b";"), "export", detect.CSV),
        (b"one column\nof words\n", "list.csv", detect.CSV),
        (b"a <b>b</b> <p>c</p>", "page.htm", detect.HTML),
        (b"a <b>b</b> <p>c</p>", "page.txt", detect.PLAIN),
        (MAIL, "mail.txt", detect.EML),
        (b"From sender Sat Nov 21\n" + MAIL, None, detect.EML),
        (LETTER, None, detect.PLAIN),
        (LETTER, "letter.eml", detect.EML),
        (b'{"json": true}', "data.json", detect.PLAIN),
        ("nur Text, Größe".encode("cp1252"), None, detect.PLAIN),
        ("Größe".encode("utf-16-le") * 10, None, detect.PLAIN),
        (b"text with a NUL\x00 here and\x00 there", None, detect.PLAIN),
        (b"text with invalid \xff\xfe UTF-8", None, detect.PLAIN),
    ],
)
def test_the_name_helps_among_kinds_of_text(
    kind: Detect, content: bytes, name: str | None, expected: str
) -> None:
    """What the text itself shows beyond doubt still comes first."""
    assert kind(content, name) == expected


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (packed("xl/workbook.xml", "[Content_Types].xml"), "Excel"),
        (packed("holiday.jpg"), "ZIP archive"),
        (b"GIF89a" + bytes(range(256)) * 4, "GIF"),
        (b"\x7fELF\x02\x01\x01" + bytes(200), "type"),
        (bytes(range(256)) * 20, "unknown type"),
        (b"{\\rtf1 text}", "RTF"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "old Office format"),
    ],
)
def test_other_types_are_refused_by_name(kind: Detect, content: bytes, told: str) -> None:
    """The sender learns what the file appears to be, and what could be sent instead."""
    with pytest.raises(UnsupportedType) as caught:
        kind(content, "document.pdf")
    assert caught.value.code == "unsupported_type"
    assert told.lower() in caught.value.detail.lower()
    assert "PDF, DOCX, PNG" in caught.value.detail


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty_file"),
        (packed("[Content_Types].xml", "word/document.xml")[:-40], "corrupt"),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
            + bytes(600)
            + "EncryptedPackage".encode("utf-16-le"),
            "encrypted",
        ),
    ],
)
def test_what_is_of_no_use_is_refused(kind: Detect, content: bytes, code: str) -> None:
    """Empty files, cut-off containers, and Office files with a password."""
    with pytest.raises(Unparsable) as caught:
        kind(content)
    assert caught.value.code == code


@pytest.mark.parametrize("piece", ["<!---->", "<p ", "[", "**a", "a:", "`", "<!--", "|-"])
def test_hostile_text_does_not_hold_detection_up(kind: Detect, piece: str) -> None:
    """What makes a careless pattern try every combination is judged like any other text."""
    assert kind(piece.encode() * 20_000, "page.html") in detect.SUPPORTED
