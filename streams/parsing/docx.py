"""DOCX: headers, paragraphs, tables, text boxes, notes and footers, in the order of reading.

The XML is walked here, with python-docx's safe parser, because its own text leaves out content
controls, inserted text and text boxes, and because it refuses files with a single broken reference.
"""

import io
import posixpath
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field

from docx.oxml.parser import parse_xml
from docx.oxml.xmlchemy import BaseOxmlElement

from streams.parsing import archive, image
from streams.parsing.bout import Bout
from streams.parsing.columns import align
from streams.parsing.page import Page, ParsedPart
from streams.parsing.plain_pages import clean

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
TITLE = "{http://purl.org/dc/elements/1.1/}title"
DOCUMENT_RELATION = "/officeDocument"
PROSE_CHARS = 120
"""A longer paragraph is prose and stands apart; shorter ones are often lines of one address."""
MAX_SPAN = 100
_INLINE_TEXT = {f"{W}tab": "\t", f"{W}cr": "\n", f"{W}noBreakHyphen": "-", f"{W}ptab": "\t"}


def parse(bout: Bout) -> ParsedPart:
    """Return the pages of a DOCX, split where the word processor noted its page breaks.

    A document of nothing but pictures (a scan pasted into one) has each picture read as a page.

    Raises:
        Unparsable: archive_bomb, encrypted, unsupported_compression, corrupt, empty_file or
            text_too_long.
    """
    archive.check(bout.path, bout.limits)
    try:
        with zipfile.ZipFile(bout.path) as container:
            package = _Package(container)
            text, title = package.text(), package.title()
            pictures = package.pictures() if len(clean(text)) < bout.limits.min_page_chars else []
            if pictures:
                return _read_pictures(container, pictures, bout, title)
    except (zipfile.BadZipFile, SyntaxError, KeyError, EOFError, OSError, ValueError) as error:
        raise archive.damaged() from error
    return bout.text_part(text.split("\f"), title=title)


@dataclass(slots=True)
class _Package:
    """The parts of a DOCX by their relations."""

    container: zipfile.ZipFile
    main: str = field(init=False)
    relations: list[tuple[str, str]] = field(init=False)

    def __post_init__(self) -> None:
        roots = self._relations_of("")
        self.main = next(
            (part for kind, part in roots if kind.endswith(DOCUMENT_RELATION)), "word/document.xml"
        )
        self.relations = self._relations_of(self.main)

    def _relations_of(self, part: str) -> list[tuple[str, str]]:
        """Return (type, member name) of what `part` refers to inside the file, in its order."""
        folder, name = posixpath.split(part)
        path = posixpath.join(folder, "_rels", f"{name}.rels")
        if path not in self.container.namelist():
            return []
        return [
            (relation.get("Type", ""), _member(folder, relation.get("Target", "")))
            for relation in parse_xml(self.container.read(path))
            if relation.get("TargetMode") != "External"
        ]

    def _parts(self, kind: str) -> list[BaseOxmlElement]:
        names = dict.fromkeys(
            part for relation, part in self.relations if relation.endswith(f"/{kind}")
        )
        present = set(self.container.namelist())
        return [parse_xml(self.container.read(name)) for name in names if name in present]

    def text(self) -> str:
        """Return headers, body, notes and footers; a form feed stands where a page ended."""
        body = parse_xml(self.container.read(self.main)).find(f"{W}body")
        headers = dict.fromkeys(_text(part) for part in self._parts("header"))
        notes = [
            _text(note)
            for kind in ("footnotes", "endnotes")
            for part in self._parts(kind)
            for note in part
            if note.get(f"{W}type") is None
        ]
        footers = dict.fromkeys(_text(part) for part in self._parts("footer"))
        blocks = [*headers, _text(body) if body is not None else "", *notes, *footers]
        return "\n\n".join(block for block in blocks if block.strip())

    def title(self) -> str | None:
        """Return the title among the document's properties, if one is set."""
        if "docProps/core.xml" not in self.container.namelist():
            return None
        named = parse_xml(self.container.read("docProps/core.xml")).find(TITLE)
        return clean(named.text).strip() or None if named is not None and named.text else None

    def pictures(self) -> list[str]:
        """Return the member names of the pictures that the body refers to."""
        present = set(self.container.namelist())
        return [
            part for kind, part in self.relations if kind.endswith("/image") and part in present
        ]


def _member(folder: str, target: str) -> str:
    if target.startswith("/"):
        return target.lstrip("/")
    return posixpath.normpath(posixpath.join(folder, target))


def _read_pictures(
    container: zipfile.ZipFile, names: list[str], bout: Bout, title: str | None
) -> ParsedPart:
    bout.check_page_count(len(names))

    def read(number: int) -> Page:
        content = container.read(names[number - 1])
        with image.opened(io.BytesIO(content)) as picture:
            image.check_size(picture, bout.limits)
            return bout.read_image(
                image.for_reading(picture, bout.limits.max_render_pixels), number
            )

    pages, next_page = bout.pages(len(names), read)
    return ParsedPart(pages, len(names), next_page, title)


def _text(container: BaseOxmlElement) -> str:
    """Return the blocks of a body, cell, header or text box as lines."""
    lines: list[str] = []
    for block, apart in _blocks(container):
        if apart and lines and lines[-1]:
            lines.append("")
        lines.append(block)
        if apart:
            lines.append("")
    return "\n".join(lines).strip("\n")


def _blocks(container: BaseOxmlElement) -> Iterator[tuple[str, bool]]:
    """Yield paragraphs and tables, and whether a blank line sets them apart.

    The XML parser allows no deeper nesting than 256, so the recursion is bounded.
    """
    for child in container:
        if child.tag == f"{W}p":
            boxes: list[str] = []
            text = "".join(_inline(child, boxes))
            yield text, len(text) > PROSE_CHARS or _is_heading(child)
            yield from ((box, True) for box in boxes if box.strip())
        elif child.tag == f"{W}tbl":
            yield "\n".join(align(list(_rows(child)))), True
        elif child.tag != FALLBACK:
            yield from _blocks(child)


def _inline(element: BaseOxmlElement, boxes: list[str]) -> Iterator[str]:
    """Yield the text inside a paragraph; text boxes anchored in it are collected apart."""
    for child in element:
        if child.tag == f"{W}t":
            yield child.text or ""
        elif child.tag in _INLINE_TEXT:
            yield _INLINE_TEXT[child.tag]
        elif child.tag == f"{W}br":
            yield "\f" if child.get(f"{W}type") == "page" else "\n"
        elif child.tag == f"{W}lastRenderedPageBreak":
            yield "\f"
        elif child.tag == f"{W}txbxContent":
            boxes.append(_text(child))
        elif child.tag not in {FALLBACK, f"{W}pPr", f"{W}rPr"}:
            yield from _inline(child, boxes)


def _is_heading(paragraph: BaseOxmlElement) -> bool:
    style = paragraph.find(f"{W}pPr/{W}pStyle")
    return style is not None and (style.get(f"{W}val") or "").lower().startswith(
        ("heading", "title", "berschrift", "überschrift", "titre")
    )


def _rows(table: BaseOxmlElement) -> Iterator[list[str]]:
    """Yield the cells of each row; a cell over several columns keeps the others in place."""
    for row in table.iter(f"{W}tr"):
        if next(row.iterancestors(f"{W}tbl")) is not table:
            continue
        cells: list[str] = []
        for cell in row.iter(f"{W}tc"):
            if next(cell.iterancestors(f"{W}tr")) is row:
                span = cell.find(f"{W}tcPr/{W}gridSpan")
                across = span.get(f"{W}val", "1") if span is not None else "1"
                cells.append(_text(cell).replace("\f", "\n"))
                cells.extend([""] * (min(int(across), MAX_SPAN) - 1 if across.isdecimal() else 0))
        yield cells
