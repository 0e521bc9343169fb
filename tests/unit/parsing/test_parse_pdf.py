"""PDF: layout, OCR where there is no text, and every way in which a PDF can be bad."""

import io
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import pypdfium2 as pdfium
import pytest
from PIL import Image, ImageDraw
from reportlab.lib.pagesizes import A4
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from streams.parsing.detect import PDF
from streams.parsing.errors import Unparsable
from streams.parsing.page import ParsedPart, TextSource

Parse = Callable[..., ParsedPart]
Refusal = Callable[..., Unparsable]

Draw = Callable[[Canvas], None]


def pdf(*pages: Draw, title: str = "", **options: object) -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4, invariant=1, **options)
    canvas.setTitle(title)
    for draw in pages:
        draw(canvas)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def sentence(canvas: Canvas) -> None:
    canvas.drawString(72, 700, "A sentence that is long enough not to be read as a picture.")


def scan(canvas: Canvas) -> None:
    picture = Image.new("RGB", (400, 560), "white")
    ImageDraw.Draw(picture).text((40, 40), "scanned", fill="black")
    canvas.drawImage(ImageReader(picture), 0, 0, *A4)


def crafted(page_count: int) -> bytes:
    """Return a PDF whose page tree names one and the same page `page_count` times."""
    kids = b" ".join([b"3 0 R"] * page_count)
    return written(
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count %d /Kids [%b] >>" % (page_count, kids),
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] >>",
    )


def written(*objects: bytes) -> bytes:
    """Return a PDF file of these objects, the first of which is its catalogue."""
    content = bytearray(b"%PDF-1.4\n")
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(content))
        content += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    start = len(content)
    size = len(objects) + 1
    content += b"xref\n0 %d\n0000000000 65535 f \n" % size
    content += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    content += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, start)
    return bytes(content)


def test_columns_stay_below_one_another(parse: Parse) -> None:
    """Amounts printed in a column end up in a column of the text, rows in the printed order."""

    def invoice(canvas: Canvas) -> None:
        for row, (item, amount) in enumerate([("Chair", "70.00"), ("Olive oil", "0.90")]):
            canvas.drawString(72, 700 - 16 * row, item)
            canvas.drawRightString(500, 700 - 16 * row, amount)
        canvas.drawString(72, 600, "Total")
        canvas.drawRightString(500, 600, "70.90")

    text = parse(pdf(invoice), PDF).pages[0].text
    lines = text.split("\n")
    assert [line.split() for line in lines] == [
        ["Chair", "70.00"],
        ["Olive", "oil", "0.90"],
        [],
        ["Total", "70.90"],
    ]
    assert lines[0].index("70.00") == lines[3].index("70.90")
    assert lines[0].count(" ") > 20


def test_rows_drawn_out_of_order_are_put_in_order(parse: Parse) -> None:
    """The order of drawing does not matter, the place on the page does."""

    def shuffled(canvas: Canvas) -> None:
        canvas.drawString(300, 500, "fourth word")
        canvas.drawString(72, 700, "first line of it")
        canvas.drawString(72, 500, "third word")
        canvas.drawString(72, 600, "second line")

    words = parse(pdf(shuffled), PDF).pages[0].text.split()
    assert " ".join(words) == "first line of it second line third word fourth word"


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_turned_page_reads_like_an_upright_one(parse: Parse, rotation: int) -> None:
    """Text that is drawn sideways on a page shown turned comes out in its reading order."""
    width, height = A4

    def sideways(canvas: Canvas) -> None:
        canvas.rotate(rotation)
        shift = {90: (0, -width), 180: (-width, -height), 270: (-height, 0)}[rotation]
        canvas.translate(*shift)
        for row, line in enumerate(["Invoice 4711 of today", "Total  12.00", "Thank you all"]):
            canvas.drawString(100, 400 - 20 * row, line)

    text = parse(pdf(sideways), PDF).pages[0].text
    assert [" ".join(line.split()) for line in text.split("\n")] == [
        "Invoice 4711 of today",
        "Total 12.00",
        "Thank you all",
    ]


def test_a_margin_note_set_sideways_does_not_cut_the_rows(parse: Parse) -> None:
    """Text at another angle than most of the page follows after it."""

    def margin(canvas: Canvas) -> None:
        for row in range(4):
            canvas.drawString(100, 700 - 14 * row, f"Row number {row} of the page")
        canvas.rotate(90)
        canvas.drawString(640, -40, "margin note")

    text = parse(pdf(margin), PDF).pages[0].text
    assert text.startswith("Row number 0 of the page\nRow number 1 of the page\n")
    assert text.endswith("\n\nmargin note")


def test_right_to_left_and_combining_text_is_kept(parse: Parse) -> None:
    """Hebrew comes out in the order in which it is read, accents stay with their letters."""
    font = Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    pdfmetrics.registerFont(TTFont("DejaVu", font))
    shalom = "\u05e9\u05dc\u05d5\u05dd"

    def drawn(canvas: Canvas) -> None:
        canvas.setFont("DejaVu", 12)
        # PDF has no direction: a writer puts the letters down from the left, in visual order.
        canvas.drawString(72, 700, f"{shalom[::-1]}")
        canvas.drawString(72, 650, "Müller Ελλάδα Źródło naïve")

    text = parse(pdf(drawn), PDF).pages[0].text
    assert text == f"{shalom}\n\nMüller Ελλάδα Źródło naïve"


def test_values_of_form_fields_are_text(parse: Parse) -> None:
    """What was filled into a form is read, although PDF keeps it apart from the page."""

    def form(canvas: Canvas) -> None:
        sentence(canvas)
        canvas.acroForm.textfield(name="city", value="Gotham City", x=72, y=600, width=200)

    assert "Gotham City" in parse(pdf(form), PDF).pages[0].text


def test_values_that_are_left_to_the_reader_to_draw_are_text(parse: Parse) -> None:
    """A form that was filled in by a program has values and no drawing of them."""
    font = b"/DR << /Font << /Helv 5 0 R >> >> /DA (/Helv 12 Tf 0 g)"
    content = written(
        b"<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [4 0 R] %b >> >>" % font,
        b"<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 300] /Annots [4 0 R] >>",
        b"<< /Type /Annot /Subtype /Widget /FT /Tx /T (name) /V (Gotham City Hall, room 4)"
        b" /Rect [20 200 250 230] /DA (/Helv 12 Tf 0 g) /P 3 0 R /F 4 >>",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    )
    assert parse(content, PDF).pages[0].text == "Gotham City Hall, room 4"


def test_a_page_without_text_is_read_by_ocr(parse: Parse, images: list[Image.Image]) -> None:
    """Only the scanned page is drawn, at the resolution asked for; the title is the file's own."""
    part = parse(pdf(sentence, scan, title="Minutes"), PDF, render_dpi=100)
    assert [page.source for page in part.pages] == [TextSource.TEXT, TextSource.OCR]
    assert part.title == "Minutes"
    assert [image.size for image in images] == [(827, 1170)]
    assert images[0].mode == "RGB"


def test_a_stamp_on_a_scan_does_not_pass_for_its_text(parse: Parse) -> None:
    """A scanner's line of text over a picture of the whole page is not all that the page says."""

    def stamped(canvas: Canvas) -> None:
        scan(canvas)
        canvas.drawString(20, 20, "Scanned with PageScan")

    assert parse(pdf(stamped), PDF).pages[0].source is TextSource.OCR


def test_a_blank_page_is_not_read(parse: Parse, images: list[Image.Image]) -> None:
    """There is nothing to read on a page without any object."""
    part = parse(pdf(lambda _: None, sentence), PDF)
    assert part.pages[0].text == ""
    assert images == []


def test_a_huge_page_is_drawn_within_the_pixel_limit(
    parse: Parse, images: list[Image.Image]
) -> None:
    """A page of five metres does not become an image of gigabytes."""

    def poster(canvas: Canvas) -> None:
        canvas.setPageSize((14_400, 14_400))
        canvas.drawImage(ImageReader(Image.new("L", (50, 50))), 0, 0, 14_400, 14_400)

    parse(pdf(poster), PDF, max_render_pixels=1_000_000)
    assert images[0].width * images[0].height <= 1_010_000


def test_a_long_file_is_worked_through_in_parts(parse: Parse) -> None:
    """Without any time each call reads one page and says where to go on."""
    content = pdf(*[sentence] * 3)
    parts = [parse(content, PDF, first_page=number, budget_s=0) for number in (1, 2, 3)]
    assert [[page.number for page in part.pages] for part in parts] == [[1], [2], [3]]
    assert [part.next_page for part in parts] == [2, 3, None]
    assert {part.page_count for part in parts} == {3}


def test_ten_thousand_pages_are_refused(refusal: Refusal) -> None:
    """The page limit is judged before any page is read."""
    error = refusal(crafted(10_000), PDF)
    assert error.code == "too_many_pages"
    assert "10,000" in error.detail
    assert "2,000" in error.detail


def test_the_page_limit_is_a_setting(parse: Parse, refusal: Refusal) -> None:
    """A document of exactly the limit passes, one more page does not."""
    assert parse(crafted(3), PDF, max_pages=3).page_count == 3
    assert refusal(crafted(4), PDF, max_pages=3).code == "too_many_pages"


def test_a_pdf_without_pages_is_refused(refusal: Refusal) -> None:
    """A page tree may be empty."""
    assert refusal(crafted(0), PDF).code in {"zero_pages", "corrupt"}


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_truncated_pdf_is_refused(refusal: Refusal, share: float) -> None:
    """A cut-off file is not mended in silence, wherever it was cut."""
    content = pdf(*[sentence] * 5)
    assert refusal(content[: int(len(content) * share)], PDF).code == "corrupt"


def test_a_pdf_of_rubbish_is_refused(refusal: Refusal) -> None:
    """The right beginning and end do not make a PDF."""
    assert refusal(b"%PDF-1.7\n" + b"rubbish " * 500 + b"\n%%EOF", PDF).code == "corrupt"


def test_a_pdf_with_a_password_is_refused(refusal: Refusal) -> None:
    """The sender is told what is wrong; a password that only restricts printing does no harm."""
    content = pdf(sentence, encrypt=StandardEncryption("secret", canPrint=0))
    assert refusal(content, PDF).code == "encrypted"


def test_a_pdf_with_an_owner_password_is_read(parse: Parse) -> None:
    """Anyone may open such a file, so it is read."""
    content = pdf(sentence, encrypt=StandardEncryption("", "owner", canPrint=0))
    assert "long enough" in parse(content, PDF).pages[0].text


def test_a_damaged_page_does_not_cost_the_others(parse: Parse) -> None:
    """One page of the tree is no page: it is empty and noted."""
    content = pdf(sentence, sentence)
    with pdfium.PdfDocument(content) as document:
        assert len(document) == 2
    part = parse(crafted(2).replace(b"[3 0 R 3 0 R]", b"[3 0 R 9 0 R]"), PDF)
    assert part.page_count == 2
    assert part.notes == ("Page 2 is damaged and was left out.",)
