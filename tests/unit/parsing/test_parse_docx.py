"""DOCX: everything that is printed is read in its order, and hostile containers are refused."""

import io
import zipfile
from collections.abc import Callable

import docx
import pytest
from docx.document import Document
from docx.enum.text import WD_BREAK
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from PIL import Image

from streams.parsing.detect import DOCX
from streams.parsing.errors import Unparsable
from streams.parsing.limits import MEBIBYTE
from streams.parsing.page import ParsedPart

Parse = Callable[..., ParsedPart]
Refusal = Callable[..., Unparsable]

Fill = Callable[[Document], object]


def document(fill: Fill) -> bytes:
    """Return a DOCX with the content that `fill` adds."""
    made = docx.Document()
    fill(made)
    buffer = io.BytesIO()
    made.save(buffer)
    return buffer.getvalue()


def repacked(content: bytes, **members: bytes) -> bytes:
    """Return a DOCX with members added or replaced; `__` in a name stands for a slash."""
    buffer = io.BytesIO()
    replaced = {name.replace("__", "/") + ".xml": body for name, body in members.items()}
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            if name not in replaced:
                new.writestr(name, old.read(name))
        for name, body in replaced.items():
            new.writestr(name, body)
    return buffer.getvalue()


def letter(made: Document) -> None:
    made.add_heading("Invoice", level=1)
    made.add_paragraph("Customer no.\t4711")
    made.sections[0].header.paragraphs[0].text = "Letterhead Ltd"
    made.sections[0].footer.paragraphs[0].text = "Bank details"


def test_headers_headings_paragraphs_and_footers_are_read(parse: Parse) -> None:
    """The letterhead comes first and the footer last, a heading stands apart, tabs are gaps."""
    part = parse(document(letter), DOCX)
    assert part.pages[0].text == (
        "Letterhead Ltd\n\nInvoice\n\nCustomer no.    4711\n\nBank details"
    )


def test_tables_keep_their_columns(parse: Parse) -> None:
    """Cells of one column start at one place; a cell over two columns keeps the others in place."""

    def fill(made: Document) -> None:
        table = made.add_table(rows=3, cols=3)
        for row, cells in enumerate([("Item", "Qty", "Price"), ("Chair", "12", "70.00")]):
            for column, text in enumerate(cells):
                table.cell(row, column).text = text
        table.cell(2, 0).merge(table.cell(2, 1)).text = "Total"
        table.cell(2, 2).text = "840.00"

    lines = parse(document(fill), DOCX).pages[0].text.split("\n")
    assert lines == ["Item   Qty  Price", "Chair  12   70.00", "Total       840.00"]


def test_nested_tables_and_lines_in_cells_are_read(parse: Parse) -> None:
    """A cell's lines stay beside their neighbours."""

    def fill(made: Document) -> None:
        table = made.add_table(rows=1, cols=2)
        table.cell(0, 0).text = "Sold to\nACME"
        inner = table.cell(0, 1).add_table(rows=1, cols=2)
        inner.cell(0, 0).text, inner.cell(0, 1).text = "No.", "17"

    text = parse(document(fill), DOCX).pages[0].text
    assert [line.split() for line in text.split("\n")] == [["Sold", "to", "No.", "17"], ["ACME"]]


def test_content_controls_insertions_and_text_boxes_are_read(parse: Parse) -> None:
    """Text is read wherever the format keeps it; what was deleted under review is not."""

    def fill(made: Document) -> None:
        control = (
            "<w:sdt {}><w:sdtContent><w:p><w:r><w:t>Chosen</w:t></w:r></w:p></w:sdtContent></w:sdt>"
        )
        review = (
            "<w:p {}><w:ins><w:r><w:t>added</w:t></w:r></w:ins>"
            "<w:del><w:r><w:delText>removed</w:delText></w:r></w:del></w:p>"
        )
        box = (
            "<w:p {}><w:r><w:pict><w:txbxContent><w:p><w:r><w:t>boxed</w:t></w:r></w:p>"
            "</w:txbxContent></w:pict></w:r></w:p>"
        )
        for xml in (control, review, box):
            made.element.body.insert(0, parse_xml(xml.format(nsdecls("w"))))

    words = parse(document(fill), DOCX).pages[0].text.split()
    assert words == ["boxed", "added", "Chosen"]


def test_page_breaks_make_pages(parse: Parse) -> None:
    """A page ends where the writer ended it."""

    def fill(made: Document) -> None:
        made.add_paragraph("one").add_run().add_break(WD_BREAK.PAGE)
        made.add_paragraph("two")
        made.core_properties.title = "Two pages"

    part = parse(document(fill), DOCX)
    assert [(page.number, page.text) for page in part.pages] == [(1, "one"), (2, "two")]
    assert part.title == "Two pages"


def test_a_document_of_pictures_is_read_by_ocr(parse: Parse) -> None:
    """A scan that was pasted into a word processor is still a scan."""
    buffer = io.BytesIO()
    Image.new("L", (80, 50), 255).save(buffer, "PNG")
    buffer.seek(0)
    part = parse(document(lambda made: made.add_picture(buffer)), DOCX)
    assert [page.text for page in part.pages] == ["what is in 80 x 50 pixels"]


def test_right_to_left_and_combining_text_is_kept(parse: Parse) -> None:
    """Characters stay as they were written, in their order."""
    text = "שלום עולם، مرحبا cafe\u0301 n\u0303"
    assert parse(document(lambda made: made.add_paragraph(text)), DOCX).pages[0].text == text


def test_an_empty_document_is_refused(refusal: Refusal) -> None:
    """A document without text and pictures has nothing to work on."""
    assert refusal(document(lambda _: None), DOCX).code == "empty_file"


def test_a_zip_bomb_is_refused_before_it_is_unpacked(refusal: Refusal) -> None:
    """A part that unpacks to a thousand times its size is not unpacked."""
    bomb = repacked(document(letter), word__bomb=b" " * (8 * MEBIBYTE))
    assert len(bomb) < MEBIBYTE
    assert refusal(bomb, DOCX).code == "archive_bomb"


@pytest.mark.parametrize(
    "limit", [{"max_archive_members": 3}, {"max_archive_bytes": 1000}, {"max_member_bytes": 100}]
)
def test_every_bound_on_the_container_holds(refusal: Refusal, limit: dict[str, int]) -> None:
    """Number of files, sum of sizes and size of one part each have a limit."""
    assert refusal(document(letter), DOCX, **limit).code == "archive_bomb"


@pytest.mark.parametrize("charset", ["utf-8", "utf-16"])
def test_an_entity_bomb_is_refused(refusal: Refusal, charset: str) -> None:
    """XML that declares entities is refused in whatever encoding it comes."""
    entities = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;">]><a>&y;</a>'
    bomb = repacked(document(letter), word__document=entities.encode(charset))
    assert refusal(bomb, DOCX).code == "archive_bomb"


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_unpacks_without_a_bound_is_refused(refusal: Refusal, packing: int) -> None:
    """No word processor packs with bzip2 or LZMA, and `zipfile` unpacks them as a whole."""
    buffer = io.BytesIO(document(letter))
    with zipfile.ZipFile(buffer, "a") as made:
        made.writestr("word/bomb.bin", b"text", packing)

    assert refusal(buffer.getvalue(), DOCX).code == "unsupported_compression"


def test_a_truncated_docx_is_refused(refusal: Refusal) -> None:
    """A container without its directory is damaged."""
    content = document(letter)
    assert refusal(content[: len(content) // 2], DOCX).code == "corrupt"


def test_broken_xml_is_refused(refusal: Refusal) -> None:
    """So is one whose main part is no XML."""
    assert refusal(repacked(document(letter), word__document=b"<w:body"), DOCX).code == "corrupt"


def test_a_broken_reference_does_no_harm(parse: Parse) -> None:
    """Some writers leave references to parts that are not there; the text is read all the same."""
    content = document(letter)
    with zipfile.ZipFile(io.BytesIO(content)) as container:
        headers = [name for name in container.namelist() if "header" in name]
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as new:
            for name in container.namelist():
                if name not in headers:
                    new.writestr(name, container.read(name))
    assert "Invoice" in parse(buffer.getvalue(), DOCX).pages[0].text
