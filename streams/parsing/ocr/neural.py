"""The engine that reads with the two networks of PP-OCRv6: find the lines, then read each.

Reads the installed weights once; afterwards nothing.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from streams.parsing.ocr.detection import Corners, Detection, find_lines
from streams.parsing.ocr.line import Line, Quad
from streams.parsing.ocr.models import DETECTOR, RECOGNISER, open_session
from streams.parsing.ocr.picture import as_rgb, bounded
from streams.parsing.ocr.recognition import BothReadings, Reading, Recogniser

_LONG_SIDE = 4000
_MOST_PIXELS = 12_000_000
_NOISE = 0.5
_DOUBTFUL = 0.75
_TRIED = 5
_SURE = 0.9
_MAINLY = 0.9


class NeuralEngine:
    """PP-OCRv6 small by onnxruntime, on `threads` threads."""

    name = "rapidocr"

    def __init__(self, models: Path, threads: int = 1, detection: Detection | None = None) -> None:
        """Open the weights in the folder `models`.

        Raises:
            WrongModel: they are not the pinned ones.
        """
        cv2.setNumThreads(threads)
        self._detector = open_session(models, DETECTOR, threads)
        self._recogniser = Recogniser(open_session(models, RECOGNISER, threads))
        self._detection = detection or Detection()

    def read_lines(self, image: Image.Image) -> list[Line]:
        """Return the lines of `image`, in its pixels; it may stand on its head or its side."""
        picture = bounded(as_rgb(image), _LONG_SIDE, _MOST_PIXELS)
        pixels = np.asarray(picture)[:, :, ::-1].copy()
        boxes = find_lines(self._detector, pixels, self._detection)
        readings = self._recogniser.read(pixels, boxes)
        if readings and _sureness(readings) < _DOUBTFUL:
            boxes, readings = self._other_way_up(pixels, boxes, readings)
        scale = (image.width / picture.width, image.height / picture.height)
        pairs = zip(boxes, _choose(readings), strict=True)
        return [
            _line(box, reading, scale)
            for box, reading in pairs
            if reading.text and reading.confidence >= _NOISE
        ]

    def _other_way_up(
        self, pixels: np.ndarray, boxes: list[Corners], readings: list[BothReadings]
    ) -> tuple[list[Corners], list[BothReadings]]:
        flipped = [np.roll(box, 2, axis=0) for box in boxes]
        longest = sorted(range(len(boxes)), key=lambda number: -len(readings[number].free.text))
        longest = longest[:_TRIED]
        tried = self._recogniser.read(pixels, [flipped[number] for number in longest])
        if _sureness(tried) <= _sureness([readings[number] for number in longest]):
            return boxes, readings
        return flipped, self._recogniser.read(pixels, flipped)


def _sureness(readings: Sequence[BothReadings]) -> float:
    """Return the mean confidence of all characters read."""
    signs = [sureness for reading in readings for sureness in reading.free.confidences]
    return sum(signs) / len(signs) if signs else 0.0


def _choose(readings: Sequence[BothReadings]) -> list[Reading]:
    # On a page in Latin script a doubtful line comes out as stray Chinese characters, at a
    # confidence of 0.3 to 0.85; real ones (a shop's Chinese name) are read at above 0.9.
    letters = [sign for reading in readings for sign in reading.free.text if sign.isalpha()]
    latin = sum(sign < "ɐ" for sign in letters)
    if latin < len(letters) * _MAINLY:
        return [reading.free for reading in readings]
    return [
        reading.free
        if reading.free.confidence > _SURE and reading.free.text != reading.latin.text
        else reading.latin
        for reading in readings
    ]


def _line(box: Corners, reading: Reading, scale: tuple[float, float]) -> Line:
    corners = [(float(x) * scale[0], float(y) * scale[1]) for x, y in box]
    quad: Quad = (corners[0], corners[1], corners[2], corners[3])
    return Line(reading.text, quad, reading.positions, reading.confidences)
