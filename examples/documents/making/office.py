"""Writes DOCX files and mails, the same bytes each time."""

import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import Protocol

import docx
from docx.document import Document
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement

_MADE_AT = datetime(2026, 1, 1, tzinfo=UTC)
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


class Block(Protocol):
    """A part of a document that writes itself."""

    def __call__(self, document: Document) -> None:
        """Adds itself at the end of the document."""


def heading(value: str, level: int = 1) -> Block:
    """A heading; level 0 is a title."""

    def write(document: Document) -> None:
        document.add_heading(value, level)

    return write


def words(value: str, style: str = "Normal") -> Block:
    """A paragraph; a newline in it breaks the line."""

    def write(document: Document) -> None:
        document.add_paragraph(value, style=style)

    return write


def right_to_left(value: str) -> Block:
    """A paragraph that runs from right to left."""

    def write(document: Document) -> None:
        paragraph = document.add_paragraph()
        paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT
        paragraph.paragraph_format.element.get_or_add_pPr().append(OxmlElement("w:bidi"))
        run = paragraph.add_run(value)
        run.font.rtl = True

    return write


def grid(rows: Sequence[Sequence[str]]) -> Block:
    """A ruled table; a newline in a cell breaks its line."""

    def write(document: Document) -> None:
        table = document.add_table(rows=len(rows), cols=len(rows[0]), style="Table Grid")
        for row, values in zip(table.rows, rows, strict=True):
            for cell, value in zip(row.cells, values, strict=True):
                cell.text = value

    return write


def file(blocks: Iterable[Block], title: str = "") -> bytes:
    """A DOCX file of the blocks."""
    document = docx.Document()
    properties = document.core_properties
    properties.title, properties.author, properties.comments = title, "", ""
    properties.created = properties.modified = _MADE_AT
    for block in blocks:
        block(document)
    written = io.BytesIO()
    document.save(written)
    return _without_times(written.getvalue())


def _without_times(packed: bytes) -> bytes:
    """The same archive with each entry dated 1980, since the clock would change every byte run."""
    again = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(packed)) as old,
        zipfile.ZipFile(again, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            entry = zipfile.ZipInfo(name, _ZIP_EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(entry, old.read(name))
    return again.getvalue()


def mail(
    sender: tuple[str, str],
    recipient: tuple[str, str],
    subject: str,
    *,
    sent: str,
    body: str,
    subtype: str = "plain",
    attachments: Mapping[str, bytes] | None = None,
) -> bytes:
    """A mail.

    Args:
        sender: name and address.
        recipient: name and address.
        subject: the subject line.
        sent: the date line as it stands in the header.
        body: its text.
        subtype: plain or html.
        attachments: PDF files by name.

    Returns: the message with fixed boundaries and identity.
    """
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(sender[0], addr_spec=sender[1])
    message["To"] = Address(recipient[0], addr_spec=recipient[1])
    message["Subject"] = subject
    message["Date"] = sent
    message["Message-ID"] = f"<sample@{sender[1].partition('@')[2]}>"
    message.set_content(body, subtype=subtype, cte="quoted-printable")
    for name, content in (attachments or {}).items():
        message.add_attachment(content, maintype="application", subtype="pdf", filename=name)
    if message.is_multipart():
        message.set_boundary("==sample-part==")
    return message.as_bytes()
