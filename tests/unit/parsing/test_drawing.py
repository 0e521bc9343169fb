"""Pictures of pages, as models that can see get them."""

import io
from pathlib import Path

import pytest
from PIL import Image
from reportlab.pdfgen import canvas

from streams.parsing import detect
from streams.parsing.drawing import MAX_SIDE, draw_pages
from streams.parsing.errors import Unparsable
from streams.parsing.limits import Limits


def sizes(pictures: list[bytes]) -> list[tuple[int, int]]:
    """The sizes of JPEGs."""
    return [Image.open(io.BytesIO(picture), formats=["JPEG"]).size for picture in pictures]


def test_pages_of_a_pdf_are_drawn(tmp_path: Path) -> None:
    """Each page asked for gives one JPEG, bounded in size, in the page's proportions."""
    path = tmp_path / "two.pdf"
    page = canvas.Canvas(str(path), pagesize=(300, 600))
    for text in ("one", "two"):
        page.drawString(40, 300, text)
        page.showPage()
    page.save()

    pictures = draw_pages(path, detect.PDF, [1, 2], Limits())

    assert sizes(pictures) == [(MAX_SIDE // 2, MAX_SIDE)] * 2
    assert pictures[0] != pictures[1]


def test_an_image_is_its_own_picture(tmp_path: Path) -> None:
    """A scan is scaled down, and never up."""
    path = tmp_path / "scan.png"
    Image.new("RGB", (200, 100), "white").save(path)

    assert sizes(draw_pages(path, detect.PNG, [1], Limits())) == [(200, 100)]


def test_text_has_no_pictures(tmp_path: Path) -> None:
    """Formats without pages are not drawn."""
    assert draw_pages(tmp_path / "note.txt", detect.PLAIN, [1], Limits()) == []


def test_a_damaged_file_says_so(tmp_path: Path) -> None:
    """What cannot be opened is refused like in parsing."""
    path = tmp_path / "broken.pdf"
    path.write_bytes(b"%PDF-1.7 nothing")
    with pytest.raises(Unparsable):
        draw_pages(path, detect.PDF, [1], Limits())
