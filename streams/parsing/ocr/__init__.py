"""Reading page images: engines behind one seam, and the layout that makes a page of their lines."""

from streams.parsing.ocr.engines import NAMES, engine
from streams.parsing.ocr.line import Engine, Line, Quad
from streams.parsing.ocr.reader import page_from_image

__all__ = ["NAMES", "Engine", "Line", "Quad", "engine", "page_from_image"]
