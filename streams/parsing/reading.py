"""The OCR engine of a parser process, as the reader of page images that the parsers ask for."""

from functools import partial

from streams.parsing import ocr
from streams.parsing.bout import PageReader


def open_reader(engine_name: str, threads: int = 1) -> PageReader | None:
    """Return a reader by the OCR engine `engine_name`, or None where it is not installed.

    A partial of this function is what `ParserPool` takes: it is called in each child.

    Raises:
        ValueError: there is no engine of that name.
    """
    engine = ocr.engine(engine_name, threads)
    return partial(ocr.page_from_image, engine=engine) if engine is not None else None
