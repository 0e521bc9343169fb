"""A stand-in for OCR, and a fixture that parses bytes as one content type."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from PIL import Image

from streams.parsing.errors import Unparsable
from streams.parsing.limits import Limits
from streams.parsing.page import Page, ParsedPart, TextSource
from streams.parsing.parse import parse_part


@dataclass
class FakeReader:
    """Says of each image how large it was, and keeps it."""

    images: list[Image.Image]

    def __call__(self, image: Image.Image, number: int) -> Page:
        self.images.append(image)
        return Page(number, f"what is in {image.width} x {image.height} pixels", TextSource.OCR)


@pytest.fixture
def images() -> list[Image.Image]:
    """Return the list of the images that were handed to OCR."""
    return []


Parse = Callable[..., ParsedPart]


@pytest.fixture
def parse(tmp_path: Path, images: list[Image.Image]) -> Parse:
    """Return a function that parses bytes (or a file); keywords other than its own are limits."""

    def run(
        content: bytes | Path,
        content_type: str,
        *,
        first_page: int = 1,
        budget_s: float = 60,
        **limits: int,
    ) -> ParsedPart:
        path = content if isinstance(content, Path) else tmp_path / "document"
        if isinstance(content, bytes):
            path.write_bytes(content)
        return parse_part(
            path,
            content_type,
            first_page=first_page,
            budget_s=budget_s,
            limits=replace(Limits(), **limits),
            reader=FakeReader(images),
        )

    return run


@pytest.fixture
def refusal(parse: Parse) -> Callable[..., Unparsable]:
    """Return a function that parses what must be refused, and gives the error."""

    def run(content: bytes | Path, content_type: str, **limits: int) -> Unparsable:
        with pytest.raises(Unparsable) as caught:
            parse(content, content_type, **limits)
        assert caught.value.detail.endswith(".")
        return caught.value

    return run
