"""What a line says: each is cut out, straightened, and read column by column by a network.

Reads and writes nothing. The network gives a distribution over characters for every eight pixels
of a line that is 48 pixels high (connectionist temporal classification); where a character peaks
is where it stands.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from streams.parsing.ocr.cutting import HEIGHT, Corners, Pixels, as_input, cut_out

_NARROWEST = 48
_WIDEST = 3200
LATIN_ENDS = 0x0180
"""The code point after the last letter of the European Latin alphabets (Latin Extended-A)."""

_LATIN_EXTRAS = "ȘșȚț‘’‚“”„–—…•€‰™"  # noqa: RUF001 - these are the signs themselves


@dataclass(frozen=True, slots=True)
class Reading:
    """The text of a line, and for each character its place along it and certainty, 0..1."""

    text: str
    positions: tuple[float, ...]
    confidences: tuple[float, ...]

    @property
    def confidence(self) -> float:
        """The mean of the characters' confidences; 0 for a line without text."""
        return sum(self.confidences) / len(self.confidences) if self.confidences else 0.0


@dataclass(frozen=True, slots=True)
class BothReadings:
    """A line read with all characters that the network knows, and with the Latin ones alone."""

    free: Reading
    latin: Reading


class Recogniser:
    """The network that reads lines, with its alphabet, which it carries in its own file."""

    def __init__(self, session: ort.InferenceSession, batch_pixels: int = 48 * 2400) -> None:
        self._session = session
        self._batch_pixels = batch_pixels
        listed = session.get_modelmeta().custom_metadata_map["character"].split("\n")
        self._alphabet = ["", *(listed[:-1] if listed[-1] == "" else listed), " "]
        latin = [number for number, sign in enumerate(self._alphabet) if _is_latin(sign)]
        self._latin = np.array(latin)

    def read(self, pixels: Pixels, boxes: Sequence[Corners]) -> list[BothReadings]:
        """Return the readings of the lines of `pixels` (height, width, 3; BGR) at `boxes`."""
        crops = [cut_out(pixels, box, _WIDEST) for box in boxes]
        readings: list[BothReadings | None] = [None] * len(crops)
        order = sorted(range(len(crops)), key=lambda number: crops[number].shape[1])
        for batch in _batches(order, [crop.shape[1] for crop in crops], self._batch_pixels):
            for number, reading in zip(
                batch, self._read_batch([crops[number] for number in batch]), strict=True
            ):
                readings[number] = reading
        return [reading for reading in readings if reading is not None]

    def _read_batch(self, crops: Sequence[Pixels]) -> list[BothReadings]:
        widest = max(_NARROWEST, *(crop.shape[1] for crop in crops))
        inputs = np.zeros((len(crops), 3, HEIGHT, math.ceil(widest / 8) * 8), np.float32)
        for row, crop in zip(inputs, crops, strict=True):
            row[:, :, : crop.shape[1]] = as_input(crop)
        outputs = self._session.run(None, {self._session.get_inputs()[0].name: inputs})[0]
        return [
            self._decode(output, crop.shape[1] / inputs.shape[3])
            for output, crop in zip(outputs, crops, strict=True)
        ]

    def _decode(self, output: npt.NDArray[np.float32], used: float) -> BothReadings:
        numbers = output.argmax(axis=1)
        free = self._collapse(numbers, output.max(axis=1), used)
        among_latin = output[:, self._latin]
        best = among_latin.argmax(axis=1)
        latin = self._collapse(self._latin[best], among_latin.max(axis=1), used)
        return BothReadings(free, latin)

    def _collapse(
        self, numbers: npt.NDArray[Any], certainty: npt.NDArray[np.float32], used: float
    ) -> Reading:
        steps = len(numbers)
        signs: list[tuple[str, float, float]] = []
        before = 0
        for step, number in enumerate(numbers.tolist()):
            if number and number != before:
                place = min(1.0, (step + 0.5) / (steps * used))
                signs.append((self._alphabet[number], place, float(certainty[step])))
            before = number
        return _tidy(signs)


def _is_latin(sign: str) -> bool:
    return sign == "" or (sign.isprintable() and ord(sign) < LATIN_ENDS) or sign in _LATIN_EXTRAS


def _tidy(signs: list[tuple[str, float, float]]) -> Reading:
    # Spaces at the ends and double spaces are the network's, not the page's: gaps are measured
    # later.
    while signs and signs[0][0].isspace():
        signs = signs[1:]
    while signs and signs[-1][0].isspace():
        signs = signs[:-1]
    kept = signs[:1] + [
        sign for before, sign in pairwise(signs) if not (before[0].isspace() and sign[0].isspace())
    ]
    return Reading(
        text="".join(" " if sign[0].isspace() else sign[0] for sign in kept),
        positions=tuple(sign[1] for sign in kept),
        confidences=tuple(sign[2] for sign in kept),
    )


def _batches(order: list[int], widths: list[int], budget: int) -> list[list[int]]:
    """Cut `order` (by width) into batches whose padded pixels stay within `budget`."""
    batches: list[list[int]] = []
    for number in order:
        padded = max(_NARROWEST, widths[number]) * HEIGHT
        if batches and padded * (len(batches[-1]) + 1) <= budget:
            batches[-1].append(number)
        else:
            batches.append([number])
    return batches
