"""Writes PDF pages: paragraphs, tables and columns in the standard fonts, always the same bytes."""

import io
from collections.abc import Sequence
from xml.sax.saxutils import escape

from reportlab.lib import colors
from reportlab.lib.enums import TA_CENTER, TA_LEFT, TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    PageBreak,
    PageTemplate,
    Paragraph,
    Preformatted,
    Spacer,
    Table,
)

_ALIGNMENTS = {"left": TA_LEFT, "center": TA_CENTER, "right": TA_RIGHT}


def words(value: str, size: float = 10, font: str = "Helvetica", align: str = "left") -> Flowable:
    """A paragraph; a newline in it breaks the line."""
    style = ParagraphStyle(
        "words",
        fontName=font,
        fontSize=size,
        leading=size * 1.3,
        alignment=_ALIGNMENTS[align],
        spaceAfter=size * 0.5,
    )
    return Paragraph(escape(value).replace("\n", "<br/>"), style)


def heading(value: str, size: float = 12) -> Flowable:
    """A bold paragraph."""
    return words(value, size, "Helvetica-Bold")


def typed(value: str, size: float = 9) -> Flowable:
    """Lines in a type of fixed width, spaces kept, as a till prints them."""
    style = ParagraphStyle("typed", fontName="Courier", fontSize=size, leading=size * 1.2)
    return Preformatted(value.strip("\n"), style)


def next_page() -> Flowable:
    """The end of a page."""
    return PageBreak()


def gap(millimetres: float) -> Flowable:
    """An empty space."""
    return Spacer(1, millimetres * mm)


def grid(
    rows: Sequence[Sequence[str]],
    widths: Sequence[float],
    right: Sequence[int] = (),
    size: float = 9,
    line: float = 0.5,
) -> Flowable:
    """A table: widths in millimetres, the columns of `right` flush right, `line` points of rule.

    A newline in a cell breaks its line; the first row is repeated on each page.
    """
    styles: list[tuple[object, ...]] = [
        ("FONT", (0, 0), (-1, -1), "Helvetica", size, size * 1.2),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ]
    styles += [("ALIGN", (column, 0), (column, -1), "RIGHT") for column in right]
    if line:
        styles += [
            ("LINEBELOW", (0, 0), (-1, -1), line, colors.black),
            ("FONTNAME", (0, 0), (-1, 0), "Helvetica-Bold"),
        ]
    widths_in_points = [width * mm for width in widths]
    made = Table(
        [list(row) for row in rows], widths_in_points, style=styles, repeatRows=1 if line else 0
    )
    made.hAlign = "LEFT"
    return made


def beside(left: str, right: str, widths: tuple[float, float] = (95, 75)) -> Flowable:
    """Two blocks of lines side by side, such as an address and the numbers of an invoice."""
    return grid([[left, right]], widths, size=10, line=0)


def pages(
    story: Sequence[Flowable],
    columns: Sequence[float] = (170,),
    paper: tuple[float, float] = A4,
    margin: float = 20,
    footer: str = "",
) -> bytes:
    """Lays the story out on as many pages as it needs.

    Args:
        story: what to print, in order.
        columns: the width of each column in millimetres, filled from left to right.
        paper: width and height in points.
        margin: the space around the columns in millimetres.
        footer: a line for the foot of each page; `{page}` becomes its number.

    Returns: the file; the same story yields the same bytes.
    """

    def print_footer(canvas: Canvas, template: BaseDocTemplate) -> None:
        canvas.setFont("Helvetica", 8)
        canvas.drawString(margin * mm, 10 * mm, footer.replace("{page}", str(template.page)))

    frames, left = [], margin * mm
    for width in columns:
        frames.append(Frame(left, margin * mm, width * mm, paper[1] - 2 * margin * mm, 0, 0, 0, 0))
        left += (width + 8) * mm
    file = io.BytesIO()
    template = BaseDocTemplate(file, pagesize=paper, invariant=1, title="", author="")
    template.addPageTemplates([PageTemplate(frames=frames, onPage=print_footer)])
    template.build(list(story))
    return file.getvalue()
