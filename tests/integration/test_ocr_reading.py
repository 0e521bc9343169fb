"""The engines, on images drawn here."""

import io
import subprocess
from pathlib import Path

import pytest
from PIL import ExifTags, Image, ImageDraw, ImageFont

from streams.parsing.ocr import Engine, Line, engine, models, page_from_image
from streams.parsing.ocr.picture import LONG_SIDE, MOST_PIXELS, as_rgb, readable
from streams.parsing.ocr.tesseract import TesseractEngine, TesseractFailed
from streams.parsing.ocr.voting import VotingEngine
from streams.parsing.page import TextSource


def drawn() -> Image.Image:
    """Return a small receipt with two labelled amounts."""
    image = Image.new("L", (420, 200), 255)
    pen = ImageDraw.Draw(image)
    font = ImageFont.load_default(24)
    for row, (label, amount) in enumerate([("Bread rolls", "12.50"), ("Total", "38.75")]):
        pen.text((20, 40 + 70 * row), label, font=font, fill=0)
        pen.text((320, 40 + 70 * row), amount, font=font, fill=0)
    return image


class Scripted:
    """An engine that says the same of every image, and keeps the last one."""

    name = "scripted"

    def __init__(self, *lines: Line) -> None:
        self.lines = list(lines)
        self.seen = Image.new("L", (1, 1))

    def read_lines(self, image: Image.Image) -> list[Line]:
        self.seen = image
        return self.lines


def line(text: str, confidence: float, top: float) -> Line:
    """Return `text` at the left of a page, with one confidence for all its characters."""
    places = tuple((number + 0.5) / len(text) for number in range(len(text)))
    quad = ((0.0, top), (50.0, top), (50.0, top + 10), (0.0, top + 10))
    return Line(text, quad, places, tuple(confidence for _ in text))


@pytest.fixture(scope="module")
def networks() -> Engine:
    found = engine("rapidocr")
    assert found is not None
    return found


def test_rows_of_a_drawn_receipt(networks: Engine) -> None:
    """The networks read words and amounts, and each label stands on the row of its amount."""
    page = page_from_image(drawn(), 3, networks)
    rows = [row.split() for row in page.text.splitlines() if row.strip()]
    assert rows == [["Bread", "rolls", "12.50"], ["Total", "38.75"]]
    assert (page.number, page.source) == (3, TextSource.OCR)
    assert page.confidence is not None
    assert page.confidence > 0.9
    total = next(word for word in page.words if word.text == "38.75")
    assert total.box == pytest.approx((320 / 420, 110 / 200, 385 / 420, 138 / 200), abs=0.06)


def test_upside_down(networks: Engine) -> None:
    """A page that stands on its head is read, and its boxes lie where its words are."""
    page = page_from_image(drawn().rotate(180), 1, networks)
    assert [word.text for word in page.words] == ["Bread", "rolls", "12.50", "Total", "38.75"]
    assert page.words[0].box[0] > 0.6


@pytest.mark.parametrize("size", [(1, 1), (2, 3000)])
def test_nothing_to_read(networks: Engine, size: tuple[int, int]) -> None:
    """An image without text is a page without text, and its confidence is unknown."""
    page = page_from_image(Image.new("L", size, 255), 1, networks)
    assert (page.text, page.words, page.confidence) == ("", (), None)


def test_engine_names() -> None:
    """Engines are kept, `auto` is the best there is, and unknown names are refused."""
    assert engine("rapidocr") is engine("rapidocr")
    assert engine("auto") is engine("rapidocr")
    assert engine("none") is None
    with pytest.raises(ValueError, match="tesseract"):
        engine("magic")


def test_weights_are_checked(tmp_path: Path) -> None:
    """Weights with another hash than the pinned one are refused before they are opened."""
    (tmp_path / models.DETECTOR.file_name).write_bytes(b"not the weights")
    with pytest.raises(models.WrongModel, match=r"PP-OCRv6_det_small\.onnx"):
        models.open_session(tmp_path, models.DETECTOR, 1)


def test_confidence_is_weighted_by_length() -> None:
    """A long word counts for more in the page's confidence than a short one."""
    page = page_from_image(
        Image.new("L", (100, 100)), 1, Scripted(line("abc", 1.0, 0), line("z", 0.2, 50))
    )
    assert page.confidence == pytest.approx(0.8)


@pytest.mark.parametrize(
    "mode",
    [
        "1",
        "L",
        "P",
        "RGB",
        "RGBA",
        "LA",
        "PA",
        "La",
        "RGBa",
        "RGBX",
        "CMYK",
        "YCbCr",
        "LAB",
        "HSV",
        "I",
        "F",
        "I;16",
    ],
)
def test_every_mode_becomes_rgb(mode: str) -> None:
    """An image of any mode, even of one pixel, can be handed to an engine."""
    assert as_rgb(Image.new(mode, (1, 1))).mode == "RGB"


def test_transparent_is_white() -> None:
    """Black text on a transparent ground is black on white."""
    image = Image.new("LA", (2, 1), (0, 0))
    image.putpixel((0, 0), (0, 255))
    seen = as_rgb(image)
    assert [seen.getpixel((x, 0)) for x in (0, 1)] == [(0, 0, 0), (255, 255, 255)]


def test_deep_greys_are_stretched() -> None:
    """A scan of 16 bits keeps its contrast."""
    image = Image.new("I;16", (2, 1), 1000)
    image.putpixel((1, 0), 60000)
    seen = as_rgb(image)
    assert [seen.getpixel((x, 0)) for x in (0, 1)] == [(0, 0, 0), (255, 255, 255)]


def test_large_images_are_bounded() -> None:
    """No engine sees more pixels than the bounds, and the page's proportion stays."""
    wide, flat = readable(Image.new("L", (3600, 2700))), readable(Image.new("L", (40000, 2)))
    assert wide.width * wide.height <= MOST_PIXELS * 1.01
    assert wide.width / wide.height == pytest.approx(4 / 3, rel=0.01)
    assert flat.size == (LONG_SIDE, 1)


def test_exif_orientation_is_followed() -> None:
    """A photograph is read as a viewer shows it."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    stored = io.BytesIO()
    Image.new("L", (40, 20)).save(stored, "JPEG", exif=exif)
    reader = Scripted()
    with Image.open(stored) as image:
        page_from_image(image, 1, reader)
    assert reader.seen.size == (20, 40)


SIDES = ("left", "top", "width", "height", "conf", "text")
TABLE = "\n".join(
    "\t".join(row)
    for row in [
        ["level", "page_num", "block_num", "par_num", "line_num", "word_num", *SIDES],
        ["4", "1", "1", "1", "1", "0", "10", "10", "90", "10", "-1", ""],
        ["5", "1", "1", "1", "1", "1", "10", "10", "40", "10", "90.5", "Grand"],
        ["5", "1", "1", "1", "1", "2", "60", "10", "40", "10", "50", '"Total'],
        ["5", "1", "1", "1", "2", "1", "10", "40", "40", "10", "96", " "],
    ]
)


def test_tesseract_table(tmp_path: Path) -> None:
    """The program's table of words becomes lines with places and confidences."""
    program = tmp_path / "program"
    (tmp_path / "table").write_text(TABLE, encoding="utf-8")
    program.write_text(f"#!/bin/sh\ncat > /dev/null\ncat {tmp_path}/table\n", encoding="utf-8")
    program.chmod(0o755)
    [found] = TesseractEngine(str(program)).read_lines(Image.new("L", (200, 100)))
    assert found.text == 'Grand "Total'
    assert found.quad == ((10, 10), (100, 10), (100, 20), (10, 20))
    assert (found.confidences[0], found.confidences[-1]) == (0.905, 0.5)
    assert found.positions[0] == pytest.approx(4 / 90)


@pytest.mark.parametrize("script", ["cat > /dev/null; exit 3", "exec sleep 60"])
def test_tesseract_fails(tmp_path: Path, script: str) -> None:
    """A program that fails or hangs is one error, which names neither file nor text."""
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    with pytest.raises(TesseractFailed) as caught:
        TesseractEngine(str(program), timeout_s=0.2).read_lines(Image.new("L", (20, 20)))
    assert isinstance(caught.value.__cause__, subprocess.SubprocessError)


@pytest.mark.parametrize(
    ("sureness", "second", "expected"),
    [
        (0.7, line("TOTAL 9", 0.95, 1), "TOTAL 9"),
        (0.96, line("TOTAL 9", 0.99, 1), "T0TAL 9"),
        (0.7, line("TOTAL 9", 0.8, 1), "T0TAL 9"),
        (0.7, line("TOTAL 9", 0.95, 40), "T0TAL 9"),
        (0.7, line("TO", 0.95, 1), "T0TAL 9"),
    ],
    ids=["doubtful", "sure", "second doubts", "elsewhere", "only a part"],
)
def test_vote(sureness: float, second: Line, expected: str) -> None:
    """The second engine replaces a doubtful line by a surer reading of the same place."""
    voting = VotingEngine(Scripted(line("T0TAL 9", sureness, 0)), Scripted(second))
    assert [found.text for found in voting.read_lines(Image.new("L", (60, 60)))] == [expected]
