"""Images: judged by their header, turned upright, page by page; and the bad ones."""

import io
import struct
import zlib
from collections.abc import Callable

import pytest
from PIL import ExifTags, Image

from streams.parsing.detect import JPEG, PNG, TIFF, WEBP
from streams.parsing.errors import Unparsable
from streams.parsing.page import ParsedPart

Parse = Callable[..., ParsedPart]
Refusal = Callable[..., Unparsable]


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def announced(width: int, height: int) -> bytes:
    """Return a PNG whose header announces a size; its pixel data is a few bytes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"x") + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("kind", "content_type"), [("PNG", PNG), ("JPEG", JPEG), ("WEBP", WEBP), ("TIFF", TIFF)]
)
def test_every_format_is_read(
    parse: Parse, images: list[Image.Image], kind: str, content_type: str
) -> None:
    """The reader gets the picture in RGB, whatever the file's format."""
    part = parse(encoded(Image.new("L", (60, 40), 200), kind), content_type)
    assert part.pages[0].text == "what is in 60 x 40 pixels"
    assert part.page_count == 1
    assert images[0].mode == "RGB"


@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "PNG"])
def test_a_photo_taken_sideways_is_turned(
    parse: Parse, images: list[Image.Image], kind: str
) -> None:
    """The EXIF orientation is followed before the picture is read."""
    image = Image.new("RGB", (60, 40), "white")
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    parse(encoded(image, kind, exif=exif), JPEG)
    assert images[0].size == (40, 60)


def test_transparent_parts_are_white(parse: Parse, images: list[Image.Image]) -> None:
    """Black writing on a transparent ground stays readable."""
    parse(encoded(Image.new("RGBA", (20, 20), (0, 0, 0, 0)), "PNG"), PNG)
    assert images[0].getpixel((5, 5)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["1", "P", "CMYK", "LA", "I;16"])
def test_every_mode_becomes_rgb(parse: Parse, images: list[Image.Image], mode: str) -> None:
    """Bilevel, palette, print and deep images are all read."""
    parse(encoded(Image.new(mode, (20, 20)), "TIFF" if mode != "LA" else "PNG"), TIFF)
    assert images[0].mode == "RGB"


def test_a_large_image_is_scaled_down(parse: Parse, images: list[Image.Image]) -> None:
    """OCR never gets more pixels than the limit, in the same proportions."""
    parse(encoded(Image.new("RGB", (800, 400)), "JPEG"), JPEG, max_render_pixels=20_000)
    assert images[0].size == (200, 100)


def test_a_tiff_has_pages(parse: Parse) -> None:
    """Each picture in the file is a page, and the budget holds between them."""
    frames = [Image.new("L", (30 + 10 * number, 30)) for number in range(3)]
    content = encoded(frames[0], "TIFF", save_all=True, append_images=frames[1:])
    first = parse(content, TIFF, budget_s=0)
    others = parse(content, TIFF, first_page=2)
    assert (first.page_count, first.next_page) == (3, 2)
    assert [page.text for page in others.pages] == [
        "what is in 40 x 30 pixels",
        "what is in 50 x 30 pixels",
    ]
    assert others.next_page is None


def test_too_many_pages_in_a_tiff_are_refused(refusal: Refusal) -> None:
    """The page limit holds for pictures too."""
    frame = Image.new("1", (10, 10))
    content = encoded(frame, "TIFF", save_all=True, append_images=[frame] * 3)
    assert refusal(content, TIFF, max_pages=3).code == "too_many_pages"


def test_an_enormous_image_is_refused_by_its_header(
    refusal: Refusal, images: list[Image.Image]
) -> None:
    """40,000 x 40,000 pixels would be 1.6 GB; nothing of that is allocated."""
    error = refusal(announced(40_000, 40_000), PNG)
    assert error.code == "image_too_large"
    assert images == []


def test_an_image_just_above_the_limit_is_refused(refusal: Refusal) -> None:
    """The limit is this product's, not the image library's."""
    assert refusal(announced(10_001, 10_000), PNG).code == "image_too_large"


def test_a_single_pixel_is_refused(refusal: Refusal) -> None:
    """Nothing can be read in an image of 1 x 1."""
    assert refusal(encoded(Image.new("L", (1, 1)), "PNG"), PNG).code == "image_too_small"


def test_a_truncated_image_is_refused(refusal: Refusal) -> None:
    """Half a picture is not read as if it were whole."""
    noise = Image.effect_noise((200, 200), 80)
    for kind, content_type in (("PNG", PNG), ("JPEG", JPEG), ("WEBP", WEBP)):
        content = encoded(noise, kind)
        assert refusal(content[: len(content) // 2], content_type).code == "corrupt"


def test_a_header_alone_is_refused(refusal: Refusal) -> None:
    """A picture without pixel data is damaged."""
    assert refusal(announced(100, 100), PNG).code == "corrupt"
    assert refusal(b"\x89PNG\r\n\x1a\n", PNG).code == "corrupt"
