"""The engine that reads with the networks of PP-OCRv6: find the lines, turn the page, read each.

Reads the installed weights once; afterwards nothing.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from streams.parsing.ocr.cutting import Corners, Pixels, turned_over
from streams.parsing.ocr.detection import Detection, find_lines
from streams.parsing.ocr.line import Line, Quad
from streams.parsing.ocr.models import DETECTOR, RECOGNISER, TURN_TELLER, open_session
from streams.parsing.ocr.picture import LONG_SIDE, MOST_PIXELS, as_rgb, bounded
from streams.parsing.ocr.recognition import BothReadings, Reading, Recogniser
from streams.parsing.ocr.script import believed
from streams.parsing.ocr.turning import longest, looks_turned

_NOISE = 0.5


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
        self._turn_teller = open_session(models, TURN_TELLER, threads)
        self._recogniser = Recogniser(open_session(models, RECOGNISER, threads))
        self._detection = detection or Detection()

    def read_lines(self, image: Image.Image) -> list[Line]:
        """Return the lines of `image`, in its pixels; it may stand on its head or its side."""
        picture = bounded(as_rgb(image), LONG_SIDE, MOST_PIXELS)
        pixels = np.asarray(picture)[:, :, ::-1].copy()
        boxes = find_lines(self._detector, pixels, self._detection)
        boxes = self._right_way_up(pixels, boxes)
        readings = self._recogniser.read(pixels, boxes)
        scale = (image.width / picture.width, image.height / picture.height)
        pairs = zip(boxes, believed(readings), strict=True)
        return [
            _line(box, reading, scale)
            for box, reading in pairs
            if reading.text and reading.confidence >= _NOISE
        ]

    def _right_way_up(self, pixels: Pixels, boxes: list[Corners]) -> list[Corners]:
        if not looks_turned(self._turn_teller, pixels, boxes):
            return boxes
        asked = longest(boxes)
        as_found = self._recogniser.read(pixels, asked)
        other_way = self._recogniser.read(pixels, [turned_over(box) for box in asked])
        # Two witnesses, because turning an upright page over would lose all of its text.
        if _sureness(other_way) <= _sureness(as_found):
            return boxes
        return [turned_over(box) for box in boxes]


def _sureness(readings: Sequence[BothReadings]) -> float:
    """Return the mean confidence of all characters read."""
    signs = [sureness for reading in readings for sureness in reading.free.confidences]
    return sum(signs) / len(signs) if signs else 0.0


def _line(box: Corners, reading: Reading, scale: tuple[float, float]) -> Line:
    corners = [(float(x) * scale[0], float(y) * scale[1]) for x, y in box]
    quad: Quad = (corners[0], corners[1], corners[2], corners[3])
    return Line(reading.text, quad, reading.positions, reading.confidences)
