"""Images: PNG, JPEG, WebP and TIFF with several pages; upright, bounded in size, read by OCR."""

import math
import struct
import warnings
from pathlib import Path
from typing import BinaryIO, Final

from PIL import ExifTags, Image, ImageOps

from streams.parsing.bout import Bout
from streams.parsing.errors import Code, Unparsable
from streams.parsing.limits import Limits
from streams.parsing.ocr.picture import as_rgb, bounded
from streams.parsing.page import Page, ParsedPart

FORMATS: Final = ("PNG", "JPEG", "TIFF", "WEBP")
DAMAGE: Final = (OSError, SyntaxError, ValueError, struct.error)
"""What the image library raises for a damaged file."""


def parse(bout: Bout) -> ParsedPart:
    """Return one page per image in the file.

    Raises:
        Unparsable: image_too_large or image_too_small (judged before anything is decoded),
                corrupt, too_many_pages.
    """
    with opened(bout.path) as image:
        check_size(image, bout.limits)
        count = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1
        bout.check_page_count(count)
        pages, next_page = bout.pages(count, lambda number: _page(image, number, bout))
    return ParsedPart(pages, count, next_page, notes=tuple(bout.notes))


def draw(path: Path, number: int, limits: Limits) -> Image.Image:
    """Return image `number` of the file, upright and in RGB.

    Raises:
        Unparsable: as of `parse`.
    """
    with opened(path) as image:
        return _picture(image, number, limits)


def damaged() -> Unparsable:
    """Return the error for an image that cannot be decoded."""
    return Unparsable(
        Code.CORRUPT, "The image is damaged or cut off; save it again or upload an undamaged copy."
    )


def check_size(image: Image.Image, limits: Limits) -> None:
    """Refuse an image whose header announces too many pixels to decode, or too few to read."""
    width, height = image.size
    if width * height > limits.max_image_pixels:
        raise Unparsable(
            Code.IMAGE_TOO_LARGE,
            f"The image has {width:,} x {height:,} pixels and"
            f" {limits.max_image_pixels // 1_000_000:,} million are allowed; scale it down.",
        )
    if min(width, height) < limits.min_image_side:
        raise Unparsable(
            Code.IMAGE_TOO_SMALL,
            f"The image has {width} x {height} pixels and nothing can be read below"
            f" {limits.min_image_side} on a side; upload a larger one.",
        )


def for_reading(image: Image.Image, max_pixels: int) -> Image.Image:
    """Return `image` in mode RGB on white, turned as its EXIF data says, at most `max_pixels`."""
    width, height = image.size
    if width * height > max_pixels:
        shrink = math.sqrt(max_pixels / (width * height))
        # A JPEG can be decoded at a fraction of its size, which saves most of the memory.
        image.draft(None, (int(width * shrink), int(height * shrink)))
    if image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
        image = ImageOps.exif_transpose(image)
    if image.mode not in {"L", "RGB"}:
        image = as_rgb(image)
    return as_rgb(bounded(image, max(image.size), max_pixels))


def opened(file: Path | BinaryIO) -> Image.Image:
    """Open an image of one of `FORMATS`, of which only the header is read.

    Raises:
        Unparsable: corrupt, or image_too_large.
    """
    with warnings.catch_warnings():
        # The limit of this module is stricter where it matters and is applied before decoding.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            return Image.open(file, formats=FORMATS)
        except Image.DecompressionBombError:
            raise Unparsable(
                Code.IMAGE_TOO_LARGE, "The image has too many pixels; scale it down."
            ) from None
        except FileNotFoundError:
            raise
        except DAMAGE:
            raise damaged() from None


def _page(image: Image.Image, number: int, bout: Bout) -> Page:
    return bout.read_image(_picture(image, number, bout.limits), number)


def _picture(image: Image.Image, number: int, limits: Limits) -> Image.Image:
    try:
        image.seek(number - 1)
        check_size(image, limits)
        return for_reading(image, limits.max_render_pixels)
    except DAMAGE:
        raise damaged() from None
