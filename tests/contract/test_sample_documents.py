"""The sample documents: their truth fits their type, stands in them, and adds up."""

import json
import re
import subprocess
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from html import unescape
from io import BytesIO
from pathlib import Path
from typing import Any

import docx
import pypdfium2
import pytest
from PIL import Image

from schemas.document_types import OrderCheck, ProductCheck, SumCheck, builtin

FOLDER = Path(__file__).parents[2] / "examples" / "documents"
SAMPLES = sorted(
    path
    for path in FOLDER.iterdir()
    if path.is_file() and path.suffix != ".json" and path.with_suffix(".json").exists()
)
IMAGES = {".jpg", ".png", ".tiff"}
FORMATS = {".pdf", ".docx", ".html", ".md", ".txt", ".csv", ".eml"} | IMAGES
Document = tuple[str, dict[str, Any], str]


def text_of(name: str, content: bytes) -> str:
    """The text of a file as simply as it can be had; empty for images."""
    match Path(name).suffix:
        case ".pdf":
            pages = pypdfium2.PdfDocument(content)
            return "\n".join(page.get_textpage().get_text_range() for page in pages)
        case ".docx":
            return "\n".join(docx.Document(BytesIO(content)).element.body.itertext())
        case ".html":
            return unescape(re.sub(r"<[^>]*>", " ", content.decode()))
        case ".eml":
            message = message_from_bytes(content, policy=default)
            assert isinstance(message, EmailMessage)
            body = message.get_body()
            assert body is not None
            headers = [str(message[key]) for key in ("from", "to", "date", "subject")]
            return "\n".join([*headers, text_of(".html", body.get_content().encode())])
        case suffix if suffix in IMAGES:
            return ""
    return content.decode("utf-8-sig")


def documents(path: Path) -> Iterator[Document]:
    """Type, true fields and text of a sample and of each file within it."""
    truth = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    content = path.read_bytes()
    yield truth["type"], truth["fields"], text_of(path.name, content)
    for name, attached in truth.get("attachments", {}).items():
        message = message_from_bytes(content, policy=default)
        assert isinstance(message, EmailMessage)
        found = {part.get_filename(): part.get_content() for part in message.iter_attachments()}
        yield attached["type"], attached["fields"], text_of(name, found[name])


def leaves(fields: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Path and truth of each value that is there; all rows of a column share a path."""
    for name, truth in fields.items():
        if isinstance(truth, list):
            for row in truth:
                if "value" in row:
                    yield prefix + name, row
                else:
                    yield from leaves(row, f"{prefix}{name}.")
        elif truth is not None:
            yield prefix + name, truth


def squeezed(text: str) -> str:
    """The text without any white space, since each format breaks lines elsewhere."""
    return "".join(unicodedata.normalize("NFC", text).split())


def amounts(fields: dict[str, Any], path: str) -> list[Decimal]:
    """The normalised amounts at a path."""
    return [Decimal(truth["normalised"]["amount"]) for at, truth in leaves(fields) if at == path]


def test_there_are_enough_of_every_format_and_type() -> None:
    """All formats are there, each type twice, and all of it is within three megabytes."""
    assert len(SAMPLES) >= 28
    assert {path.suffix for path in SAMPLES} == FORMATS
    types = Counter(kind for path in SAMPLES for kind, _, _ in documents(path))
    assert set(types) == set(builtin())
    assert min(types.values()) >= 2
    assert sum(path.stat().st_size for path in SAMPLES) < 3_000_000


def test_stems_are_unique() -> None:
    """No two samples share the file that states their truth."""
    assert len({path.stem for path in SAMPLES}) == len(SAMPLES)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_truth_has_exactly_the_fields_of_its_type(path: Path) -> None:
    """Every field and column of the type is stated, as a value or as absent, and no other."""
    for name, fields, _ in documents(path):
        schema = builtin()[name].fields.properties
        assert list(fields) == list(schema)
        for field, truth in fields.items():
            rows = truth if isinstance(truth, list) and schema[field].columns else []
            for row in rows:
                assert list(row) == list(schema[field].columns)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_true_values_stand_in_the_document(path: Path) -> None:
    """Each value is printed in the document letter for letter, but for white space."""
    for _, fields, text in documents(path):
        printed = squeezed(text)
        scanned = not printed
        assert scanned == (path.suffix in IMAGES or path.name.startswith("scan-"))
        for at, truth in leaves(fields):
            assert scanned or squeezed(truth["value"]) in printed, at


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_normalised_values_mean_what_is_printed(path: Path) -> None:
    """Dates are ISO, amounts have the digits that are printed, IBANs have a valid checksum."""
    for name, fields, _ in documents(path):
        kinds = builtin()[name].kinds()
        for at, truth in leaves(fields):
            value: str = truth["value"]
            meant: Any = truth.get("normalised")
            match kinds[at]:
                case "date":
                    day = date.fromisoformat(meant)
                    numbers = [int(number) for number in re.findall(r"\d+", value)]
                    assert day.day in numbers, at
                case "amount":
                    assert re.sub(r"\D", "", meant["amount"]) == re.sub(r"\D", "", value), at
                    assert re.fullmatch(r"[A-Z]{3}", meant["currency"]), at
                case "quantity" | "percentage":
                    assert Decimal(meant) > 0, at
                case "iban":
                    turned = meant[4:] + meant[:4]
                    assert int("".join(str(int(mark, 36)) for mark in turned)) % 97 == 1, at
                case _:
                    assert meant is None, at


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_checks_of_the_type_hold_for_the_truth(path: Path) -> None:
    """Sums, products and orders of dates are right wherever all their values are there."""
    for name, fields, _ in documents(path):
        for check in builtin()[name].checks:
            match check:
                case SumCheck():
                    parts = [amounts(fields, part) for part in check.part_paths()]
                    total = amounts(fields, check.total)
                    gap = sum(total, Decimal()) - sum((sum(part) for part in parts), Decimal())
                    assert not total or not all(parts) or abs(gap) <= Decimal("0.01"), check
                case OrderCheck():
                    first, last = fields[check.before], fields[check.after]
                    assert not first or not last or first["normalised"] <= last["normalised"]
                case ProductCheck():
                    for row in fields[check.rows] or []:
                        assert product_holds(row, check), row


def product_holds(row: dict[str, Any], check: ProductCheck) -> bool:
    """Whether quantity times price is the amount, or one of them is absent."""
    cells = row[check.quantity], row[check.unit_price], row[check.amount]
    if None in cells:
        return True
    quantity, price, amount = (cell["normalised"] for cell in cells)
    product = Decimal(quantity) * Decimal(price["amount"])
    return abs(product - Decimal(amount["amount"])) <= Decimal("0.01")


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_images_have_one_page_of_readable_size(path: Path) -> None:
    """A scan is a single grey or black and white page of at least 400 dots either way."""
    if path.suffix in IMAGES:
        with Image.open(path) as image:
            assert getattr(image, "n_frames", 1) == 1
            assert min(image.size) >= 400
    else:
        assert path.stat().st_size > 0


def test_script_writes_the_same_bytes_again(tmp_path: Path) -> None:
    """What is committed is what the script writes, checked on all formats that no picture is in."""
    cheap = [path for path in SAMPLES if path.suffix not in {*IMAGES, ".docx"}]
    names = [path.name for path in cheap if not path.name.startswith("scan-")]
    script = [sys.executable, str(FOLDER / "make.py"), "--to", str(tmp_path), *names]
    subprocess.run(script, check=True, capture_output=True)
    for name in names:
        truth = Path(name).with_suffix(".json")
        assert (tmp_path / name).read_bytes() == (FOLDER / name).read_bytes(), name
        assert (tmp_path / truth).read_bytes() == (FOLDER / truth).read_bytes(), name


def test_readme_lists_every_sample() -> None:
    """The README has a row for each document."""
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in SAMPLES if f"| `{path.name}` |" not in readme] == []
