"""Which OCR engine a process uses: by its name in the settings, opened at first use and kept.

Reads the installed weights or looks for the installed program, once per name.
"""

from functools import cache

from streams.parsing.ocr import tesseract
from streams.parsing.ocr.line import Engine
from streams.parsing.ocr.voting import VotingEngine

NAMES = ("auto", "rapidocr", "tesseract", "vote", "none")
"""The values of the setting: `auto` takes rapidocr, else tesseract, else none; `vote` asks both."""


def engine(name: str, threads: int = 1) -> Engine | None:
    """Return the engine `name`, or None for `none` and where what it needs is not installed.

    Raises:
        ValueError: the name is not one of `NAMES`.
        WrongModel: the installed weights are not the pinned ones.
    """
    if name == "rapidocr":
        return _rapidocr(threads)
    if name == "tesseract":
        return _tesseract(threads)
    if name == "auto":
        return _rapidocr(threads) or _tesseract(threads)
    if name == "vote":
        return _voting(threads)
    if name == "none":
        return None
    raise ValueError(f"There is no OCR engine {name!r}; there are {', '.join(NAMES)}.")


@cache
def _rapidocr(threads: int) -> Engine | None:
    # The networks need packages of the optional group `ocr`; without them the other engines still
    # work.
    try:
        from streams.parsing.ocr import models, neural  # noqa: PLC0415
    except ModuleNotFoundError:
        return None
    folder = models.folder()
    return neural.NeuralEngine(folder, threads) if folder else None


@cache
def _tesseract(threads: int) -> Engine | None:
    executable = tesseract.program()
    return tesseract.TesseractEngine(executable, threads) if executable else None


@cache
def _voting(threads: int) -> Engine | None:
    first, second = _rapidocr(threads), _tesseract(threads)
    return VotingEngine(first, second) if first and second else first or second
