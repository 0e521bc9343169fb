"""Where the lines of text are: a network's map of text, cut into rectangles.

Reads and writes nothing. Method: differentiable binarisation (Liao et al., 2020): threshold the
map, take each connected part's smallest rectangle, and grow it, because the network is trained on
shrunken lines.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from streams.parsing.ocr.cutting import Corners, Pixels, as_input, sides

_STRIDE = 32
_SMALLEST_SIDE = 3.0
_TURNED = 1.5


@dataclass(frozen=True, slots=True)
class Detection:
    """How lines are found; `most_pixels` is the least at which 40 scanned receipts lost nothing.

    Attributes:
        short_side: pixels that the shorter side is enlarged to before the network sees it.
        long_side: pixels that the longer side is reduced to.
        most_pixels: pixels of the whole that the network sees, which bound its memory and time.
        threshold: share of certainty from which a pixel is text.
        box_threshold: mean certainty below which a line is dropped.
        growth: a line grows on each side by its area times this by its outline.
        max_lines: lines kept of a page, the largest first.
    """

    short_side: int = 736
    long_side: int = 4000
    most_pixels: int = 1_200_000
    threshold: float = 0.3
    box_threshold: float = 0.5
    growth: float = 1.6
    max_lines: int = 2000


def find_lines(session: ort.InferenceSession, pixels: Pixels, how: Detection) -> list[Corners]:
    """Return the corners, shape (4, 2), of each line of `pixels` (height, width, 3; BGR).

    The corners are in reading order under the guess that the page is upright; a tall rectangle on
    a page of tall rectangles, or much taller than the page's lines, is read from top to bottom.
    """
    height, width = pixels.shape[:2]
    scale = max(1.0, how.short_side / min(height, width))
    scale = min(scale, how.long_side / max(height, width))
    scale = min(scale, (how.most_pixels / (height * width)) ** 0.5)
    size = (_to_stride(width * scale), _to_stride(height * scale))
    shrink = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    seen = cv2.resize(pixels, size, interpolation=shrink)
    certainty = session.run(None, {session.get_inputs()[0].name: as_input(seen)[None]})[0][0, 0]
    ratio = np.array([width / size[0], height / size[1]], np.float32)
    boxes = [box * ratio for box in _boxes(certainty, how)]
    return _in_reading_order(boxes)


def _to_stride(side: float) -> int:
    return max(_STRIDE, round(side / _STRIDE) * _STRIDE)


def _boxes(certainty: npt.NDArray[np.float32], how: Detection) -> Iterator[Corners]:
    mask = (certainty > how.threshold).astype(np.uint8)
    mask = cv2.dilate(mask, np.ones((2, 2), np.uint8))
    outlines, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    outlines = sorted(outlines, key=cv2.contourArea, reverse=True)[: how.max_lines]
    for outline in outlines:
        centre, (width, height), angle = cv2.minAreaRect(outline)
        if min(width, height) < _SMALLEST_SIDE or _mean(certainty, outline) < how.box_threshold:
            continue
        margin = width * height * how.growth / (width + height)
        yield cv2.boxPoints((centre, (width + margin, height + margin), angle))


def _mean(certainty: npt.NDArray[np.float32], outline: npt.NDArray[Any]) -> float:
    left, top, width, height = cv2.boundingRect(outline)
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [outline - [left, top]], 1)
    return float(cv2.mean(certainty[top : top + height, left : left + width], mask)[0])


def _in_reading_order(boxes: list[Corners]) -> list[Corners]:
    ordered = [_from_top_left(box) for box in boxes]
    if not ordered:
        return []
    extents = np.array([sides(box) for box in ordered])
    tall = extents[:, 1] > extents[:, 0] * _TURNED
    area = extents.prod(axis=1)
    # A lone "1" or "l" is tall too: on an upright page only what is longer than two lines runs
    # downwards.
    page_is_turned = bool(area[tall].sum() > area.sum() / 2)
    limit = 0.0 if page_is_turned else 2.0 * float(np.median(extents[:, 1]))
    turned = tall & (extents[:, 1] > limit)
    return [
        np.roll(box, -1, axis=0) if flag else box for box, flag in zip(ordered, turned, strict=True)
    ]


def _from_top_left(box: Corners) -> Corners:
    by_x = box[np.argsort(box[:, 0], kind="stable")]
    left = by_x[:2][np.argsort(by_x[:2, 1])]
    right = by_x[2:][np.argsort(by_x[2:, 1])]
    return np.stack([left[0], right[0], right[1], left[1]]).astype(np.float32)
