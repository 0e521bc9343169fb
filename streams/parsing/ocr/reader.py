"""One page image to one page of text: turn it upright, read it, lay it out.

Reads nothing but the image it is given.
"""

from PIL import Image

from streams.parsing.ocr.layout import lay_out
from streams.parsing.ocr.line import Engine
from streams.parsing.ocr.picture import readable
from streams.parsing.page import Page, TextSource


def page_from_image(image: Image.Image, number: int, engine: Engine) -> Page:
    """Return page `number` with the text that `engine` reads in `image`, rows and gaps kept.

    `image` may have any mode and size; boxes are shares of it as its EXIF orientation shows it.
    """
    picture = readable(image)
    text, words = lay_out(engine.read_lines(picture), picture.size)
    length = sum(len(word.text) for word in words)
    sureness = sum(word.confidence * len(word.text) for word in words)
    return Page(number, text, TextSource.OCR, words, sureness / length if length else None)
