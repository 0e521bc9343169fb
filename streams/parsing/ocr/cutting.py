"""Lines cut out of a page and straightened, in the form that the networks want.

Pure functions.
"""

import math

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
"""An image of shape (height, width, 3): blue, green, red."""

Corners = npt.NDArray[np.float32]
"""The four corners of a line in reading order, x and y in pixels: shape (4, 2)."""

HEIGHT = 48
"""Pixels that a line is high for the networks."""

_NARROWEST = 8


def sides(box: Corners) -> tuple[float, float]:
    """Return the length of the line at `box` and its height, in pixels."""
    return float(np.linalg.norm(box[0] - box[1])), float(np.linalg.norm(box[0] - box[3]))


def turned_over(box: Corners) -> Corners:
    """Return the corners of the same line for who reads the page upside down."""
    return np.roll(box, 2, axis=0)


def cut_out(pixels: Pixels, box: Corners, widest: int) -> Pixels:
    """Return the line at `box`, `HEIGHT` pixels high, squeezed to `widest` where it is longer."""
    length, height = (max(1.0, side) for side in sides(box))
    width = min(widest, max(_NARROWEST, math.ceil(HEIGHT * length / height)))
    target = np.array([[0, 0], [length, 0], [length, height], [0, height]], np.float32)
    crop = cv2.warpPerspective(
        pixels,
        cv2.getPerspectiveTransform(box, target),
        (math.ceil(length), math.ceil(height)),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    line: Pixels = cv2.resize(crop, (width, HEIGHT))
    return line


def as_input(pixels: Pixels) -> npt.NDArray[np.float32]:
    """Return `pixels` as the networks want them: shape (3, height, width), values from -1 to 1."""
    scaled = pixels.astype(np.float32) / 127.5 - 1.0
    return np.ascontiguousarray(scaled.transpose(2, 0, 1))
