"""Any image as one that an engine can read: upright, in RGB on white, and no larger than is useful.

Reads and writes nothing.
"""

from PIL import Image, ImageOps

_DEEP_MODES = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")


def as_rgb(image: Image.Image) -> Image.Image:
    """Return `image` in mode RGB: transparent parts become white, deep greys are stretched."""
    if image.mode == "RGB":
        return image
    if image.mode in _DEEP_MODES:
        return _shallow(image).convert("RGB")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return image.convert("RGB")


def upright(image: Image.Image) -> Image.Image:
    """Return `image` turned as its EXIF orientation says, which is how a viewer shows it."""
    return ImageOps.exif_transpose(image)


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
    scale = 255.0 / (high - low) if high > low else 0.0
    return deep.point(lambda value: value * scale - low * scale).convert("L")
