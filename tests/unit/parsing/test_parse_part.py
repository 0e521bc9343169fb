"""The door of the parsers: unknown types, no OCR engine, and errors that cross processes."""

import io
import pickle
from pathlib import Path

import pytest
from PIL import Image

from streams.parsing import detect
from streams.parsing.errors import (
    Code,
    CrashReason,
    ParserCrashed,
    ParserFailed,
    Unparsable,
    UnsupportedType,
)
from streams.parsing.limits import Limits
from streams.parsing.page import Page, ParsedPart
from streams.parsing.parse import PARSERS, parse_part


def test_every_supported_type_has_a_parser() -> None:
    """What is detected can be parsed, and nothing else."""
    assert set(PARSERS) == set(detect.SUPPORTED)


def test_an_unknown_type_is_refused(tmp_path: Path) -> None:
    """The caller hears which types there are."""
    path = tmp_path / "file"
    path.write_bytes(b"x")
    with pytest.raises(UnsupportedType, match="video/mp4"):
        parse_part(path, "video/mp4", first_page=1, budget_s=1, limits=Limits(), reader=None)


def test_a_picture_without_an_ocr_engine_is_refused(tmp_path: Path) -> None:
    """It does not pass for a document without text."""
    path = tmp_path / "scan"
    buffer = io.BytesIO()
    Image.new("L", (50, 50)).save(buffer, "PNG")
    path.write_bytes(buffer.getvalue())
    with pytest.raises(Unparsable) as caught:
        parse_part(path, detect.PNG, first_page=1, budget_s=1, limits=Limits(), reader=None)
    assert caught.value.code is Code.NO_OCR


@pytest.mark.parametrize(
    "error",
    [
        Unparsable(Code.CORRUPT, "It is damaged."),
        UnsupportedType("It is a film."),
        ParserCrashed(CrashReason.MEMORY, "It ran out."),
        ParserFailed("KeyError: 'x'"),
    ],
)
def test_errors_cross_a_process_boundary(error: Exception) -> None:
    """With their type, their text and their code."""
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - pickled on the line itself
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)


def test_results_cross_a_process_boundary() -> None:
    """So do pages."""
    part = ParsedPart(pages=(Page(1, "text"),), page_count=1, notes=("note",))
    assert pickle.loads(pickle.dumps(part)) == part  # noqa: S301 - pickled on the line itself
