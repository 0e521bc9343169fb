"""Makes scans: a printed page as an image, a little askew, noisy, blurred and unevenly lit."""

import hashlib
import io
from dataclasses import dataclass

import pypdfium2
from PIL import Image, ImageChops, ImageFilter

_DARKEST_PAPER = 160


@dataclass(frozen=True, slots=True)
class Scanner:
    """How badly a page is scanned.

    `dots` per inch; `angle` in degrees, anticlockwise; `blur` is a radius in dots; `noise` and
    `shade` are shares 0..1 of the full range of grey; `quality` is that of the JPEG, 1 to 95.
    """

    dots: int = 150
    angle: float = 0.0
    blur: float = 0.0
    noise: float = 0.0
    shade: float = 0.0
    quality: int = 60


def image(pdf: bytes, scanner: Scanner) -> Image.Image:
    """The first page of the PDF as a grey image; the same page and scanner yield the same image."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        page: Image.Image = (
            document[0].render(scale=scanner.dots / 72, grayscale=True).to_pil().convert("L")
        )
    finally:
        document.close()
    if scanner.angle:
        turn = Image.Resampling.BICUBIC
        page = page.rotate(scanner.angle, resample=turn, expand=True, fillcolor=255)
    if scanner.blur:
        page = page.filter(ImageFilter.GaussianBlur(scanner.blur))
    if scanner.shade:
        darkness = Image.linear_gradient("L").rotate(90).resize(page.size)
        page = ImageChops.subtract(page, darkness.point(lambda grey: grey * scanner.shade))
    if scanner.noise:
        # A hash instead of a random generator, because its bytes are the same on every Python.
        grains = hashlib.shake_128(b"grain").digest(page.width * page.height)
        page = Image.blend(page, Image.frombytes("L", page.size, grains), scanner.noise)
    return page


def jpeg(pdf: bytes, scanner: Scanner) -> bytes:
    """The scan as JPEG."""
    return _save(image(pdf, scanner), "JPEG", scanner, quality=scanner.quality)


def png(pdf: bytes, scanner: Scanner) -> bytes:
    """The scan as PNG with 16 greys, which are enough for print and a quarter of the size."""
    return _save(image(pdf, scanner).quantize(16), "PNG", scanner, optimize=True)


def tiff(pdf: bytes, scanner: Scanner) -> bytes:
    """The scan as a black and white TIFF as fax machines write it (CCITT group 4)."""
    page = image(pdf, scanner).point(lambda grey: 255 * (grey > _DARKEST_PAPER)).convert("1")
    return _save(page, "TIFF", scanner, compression="group4")


def paper(pdf: bytes, scanner: Scanner) -> bytes:
    """The scan as a PDF that holds nothing but the image."""
    scanned = Image.open(io.BytesIO(jpeg(pdf, scanner)))
    no_time = {"creationDate": None, "modDate": None}
    return _save(scanned, "PDF", scanner, quality=scanner.quality, **no_time)


def _save(picture: Image.Image, form: str, scanner: Scanner, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, form, dpi=(scanner.dots, scanner.dots), **options)
    return file.getvalue()
