"""The engine that asks the `tesseract` program, where the machine has one.

Runs one child process per page; the image goes in by its standard input, a table of words comes
out.
"""

import csv
import io
import shutil
import subprocess
from collections.abc import Iterable

from PIL import Image

from streams.parsing.ocr.line import Line, Quad
from streams.parsing.ocr.picture import LONG_SIDE, MOST_PIXELS, as_rgb, bounded

_WORD_LEVEL = "5"
_SMALLEST_SIDE = 4


class TesseractFailed(Exception):
    """The program ended with an error or took too long; its last words are the message."""


def program() -> str | None:
    """Return the path of the installed program, or None."""
    return shutil.which("tesseract")


class TesseractEngine:
    """Tesseract in English; `layout` is its page segmentation mode (4: one column)."""

    name = "tesseract"

    def __init__(
        self, executable: str, threads: int = 1, timeout_s: float = 120.0, layout: int = 4
    ) -> None:
        self._command = [executable, "stdin", "stdout", "--psm", str(layout), "tsv"]
        self._environment = {"OMP_THREAD_LIMIT": str(threads), "PATH": "/usr/bin:/bin"}
        self._timeout_s = timeout_s

    def read_lines(self, image: Image.Image) -> list[Line]:
        """Return the lines of `image`, one for each that the program reports.

        Raises:
            TesseractFailed: it ended with an error or ran longer than `timeout_s` seconds.
        """
        picture = bounded(as_rgb(image), LONG_SIDE, MOST_PIXELS)
        if min(picture.size) < _SMALLEST_SIDE:
            return []
        scale = (image.width / picture.width, image.height / picture.height)
        rows = csv.DictReader(
            io.StringIO(self._run(picture)), delimiter="\t", quoting=csv.QUOTE_NONE
        )
        lines: dict[tuple[str, ...], list[dict[str, str]]] = {}
        for row in rows:
            if row["level"] == _WORD_LEVEL and (row["text"] or "").strip():
                key = (row["block_num"], row["par_num"], row["line_num"])
                lines.setdefault(key, []).append(row)
        return [_line(words, scale) for words in lines.values()]

    def _run(self, picture: Image.Image) -> str:
        content = io.BytesIO()
        picture.save(content, "PPM")
        try:
            done = subprocess.run(  # noqa: S603 - the command is our own
                self._command,
                input=content.getvalue(),
                capture_output=True,
                env=self._environment,
                timeout=self._timeout_s,
                check=True,
            )
        except subprocess.TimeoutExpired as error:
            raise TesseractFailed(f"tesseract took over {self._timeout_s:g} s") from error
        except (subprocess.CalledProcessError, OSError) as error:
            raise TesseractFailed(f"tesseract failed: {type(error).__name__}") from error
        return done.stdout.decode("utf-8", "replace")


def _line(words: Iterable[dict[str, str]], scale: tuple[float, float]) -> Line:
    boxes = [_box(word) for word in words]
    left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
    right, bottom = max(box[2] for box in boxes), max(box[3] for box in boxes)
    length = max(right - left, 1)
    signs: list[tuple[str, float, float]] = []
    for (start, _, end, _), word in zip(boxes, words, strict=True):
        text, confidence = word["text"].strip(), max(0.0, float(word["conf"])) / 100
        if signs:
            signs.append((" ", (start - left) / length, confidence))
        step = (end - start) / len(text)
        signs += [
            (sign, (start - left + (number + 0.5) * step) / length, confidence)
            for number, sign in enumerate(text)
        ]
    (x0, y0), (x1, y1) = (left * scale[0], top * scale[1]), (right * scale[0], bottom * scale[1])
    quad: Quad = ((x0, y0), (x1, y0), (x1, y1), (x0, y1))
    text = "".join(sign for sign, _, _ in signs)
    return Line(text, quad, tuple(sign[1] for sign in signs), tuple(sign[2] for sign in signs))


def _box(word: dict[str, str]) -> tuple[int, int, int, int]:
    left, top = int(word["left"]), int(word["top"])
    return left, top, left + int(word["width"]), top + int(word["height"])
