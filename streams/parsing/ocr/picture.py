"""Any image as one that an engine can read: upright, in RGB on white, and no larger than is useful.

Reads and writes nothing.
"""

from PIL import ExifTags, Image

_DEEP_MODES = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")
_BRIGHTEST = 255.0
_WEIGHTED = {"La": "LA", "RGBa": "RGBA"}
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""How an image must be turned, by its EXIF orientation (Exif 2.32, tag 0x0112)."""

LONG_SIDE = 4000
MOST_PIXELS = 8_000_000
"""Bounds of a page that is read: about an A4 page at 240 dots an inch."""


def readable(image: Image.Image) -> Image.Image:
    """Return `image` (any mode, any size) upright, in RGB, within `LONG_SIDE` and `MOST_PIXELS`.

    Its sides keep their proportion: shares of it are shares of the image as a viewer shows it.
    """
    turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    picture = bounded(as_rgb(image), LONG_SIDE, MOST_PIXELS)
    return picture.transpose(turn) if turn is not None else picture


def as_rgb(image: Image.Image) -> Image.Image:
    """Return `image` in mode RGB: transparent parts become white, deep greys are stretched."""
    if image.mode == "RGB" and not image.has_transparency_data:
        return image
    if image.mode in _DEEP_MODES:
        return _shallow(image).convert("RGB")
    if image.has_transparency_data:
        layer = image.convert(_WEIGHTED.get(image.mode, image.mode)).convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return image.convert("RGB")


def bounded(image: Image.Image, side: int, pixels: int) -> Image.Image:
    """Return `image`, scaled down where it has a longer side than `side` or more `pixels`."""
    width, height = image.size
    scale = min(1.0, side / max(width, height, 1), (pixels / max(width * height, 1)) ** 0.5)
    if scale == 1.0:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def _shallow(image: Image.Image) -> Image.Image:
    # Pillow clips deep greys instead of scaling them, which would turn a 16 bit scan all white.
    deep = image.convert("F")
    extrema = deep.getextrema()
    low, high = (float(end) for end in extrema if not isinstance(end, tuple))
    scale = _BRIGHTEST / (high - low) if high > low else 0.0
    return deep.point(lambda value: value * scale - low * scale).convert("L")
