"""Draw: pictures of a document's pages, for models that can see.

Reads the file it is given and nothing else; runs in a child process (`pool`).
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from PIL import Image

from streams.parsing import detect, image, pdf
from streams.parsing.limits import Limits

MAX_SIDE: Final = 1120
"""Pixels of the longer side: the tile that llama3.2-vision works with is 560 wide, two a side."""

_IMAGES: Final = frozenset({detect.PNG, detect.JPEG, detect.TIFF, detect.WEBP})


def draw_pages(
    path: Path, content_type: str, numbers: Sequence[int], limits: Limits
) -> list[bytes]:
    """Return a JPEG of each page of a PDF or an image file; other formats have no pictures.

    Raises:
        Unparsable: the document cannot be read; its code and detail say why.
    """
    if content_type == detect.PDF:
        return [_jpeg(pdf.draw(path, number, limits)) for number in numbers]
    if content_type in _IMAGES:
        return [_jpeg(image.draw(path, number, limits)) for number in numbers]
    return []


def _jpeg(picture: Image.Image) -> bytes:
    picture.thumbnail((MAX_SIDE, MAX_SIDE))
    written = io.BytesIO()
    picture.convert("RGB").save(written, "JPEG", quality=85)
    return written.getvalue()
