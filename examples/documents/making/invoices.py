"""The invoices in English: with and without labels, printed and scanned."""

from making import pdf, scan
from making.sample import Money, Sample, date, iban, text

_COLUMNS = "description quantity unit_price amount"

_POUNDS = Money(".", "GBP")
_DOLLARS = Money(".", "USD")

_HARBOUR_ROWS = (
    ("Stainless mixing bowl, 5 l", "12", "8.50", "102.00"),
    ("Oak serving board", "20", "14.25", "285.00"),
    ("Linen napkin, white", "150", "1.80", "270.00"),
    ("Delivery", "1", "18.00", "18.00"),
)


def _harbour() -> bytes:
    return pdf.pages(
        [
            pdf.heading("Brightwater Catering Supplies Ltd", 16),
            pdf.words("14 Quayside Road\nWhitby YO99 3PU\nVAT No: GB 999 9999 73"),
            pdf.gap(6),
            pdf.heading("INVOICE", 18),
            pdf.beside(
                "Bill to:\nHarbour Foods Ltd\n3 Lantern Street\nScarborough YO99 1AB",
                "Invoice No: BW-2041\nInvoice date: 3 March 2026\n"
                "Due date: 2 April 2026\nPurchase order: HF-7781",
            ),
            pdf.gap(6),
            pdf.grid(
                [("Description", "Qty", "Unit price", "Amount"), *_HARBOUR_ROWS],
                (90, 20, 30, 30),
                right=(1, 2, 3),
            ),
            pdf.gap(4),
            pdf.grid(
                [("Subtotal", "675.00"), ("VAT 20 %", "135.00"), ("Total due", "£810.00")],
                (140, 30),
                right=(0, 1),
                size=10,
                line=0,
            ),
            pdf.gap(8),
            pdf.words("Please pay within 30 days.\nIBAN: GB82 WEST 1234 5698 7654 32"),
        ]
    )


_NORTHLIGHT_ROWS = (
    ("Cover illustration, spring catalogue", "1", "650.00", "650.00"),
    ("Spot drawings", "8", "45.00", "360.00"),
)


def _northlight() -> bytes:
    return pdf.pages(
        [
            pdf.words("NORTHLIGHT STUDIO", 22),
            pdf.words("41 Foundry Yard, Leith EH99 6XX", 9),
            pdf.gap(18),
            pdf.beside(
                "Pinecone Press Ltd\n9 Almond Row\nDundee DD99 1AA", "NS/26/0093\n14 May 2026"
            ),
            pdf.gap(14),
            pdf.grid(_NORTHLIGHT_ROWS, (100, 15, 25, 30), right=(1, 2, 3), line=0),
            pdf.gap(8),
            pdf.grid(
                [("", "1,010.00"), ("20 %", "202.00"), ("", "£1,212.00")],
                (140, 30),
                right=(0, 1),
                size=12,
                line=0,
            ),
            pdf.gap(20),
            pdf.words("Thirty days. Thank you.\nNL91 ABNA 0417 1643 00", 9),
        ]
    )


_TIDEWATER_ROWS = (
    ("Hull cleaning, 32 ft sloop", "1", "480.00", "480.00"),
    ("Zinc anode replacement", "6", "22.50", "135.00"),
    ("Labor, hours", "4.5", "95.00", "427.50"),
)


def _tidewater() -> bytes:
    page = pdf.pages(
        [
            pdf.heading("Tidewater Marine Repairs", 18),
            pdf.words("220 Dockside Avenue\nPort Mallory, MD 99901\nTel (410) 555-0142"),
            pdf.gap(5),
            pdf.beside(
                "Bill To\nBluegull Charters LLC\n77 Pelican Way\nPort Mallory, MD 99902",
                "Invoice # 10458\nInvoice Date: 04/17/2026\nDue Date: 05/17/2026",
            ),
            pdf.gap(8),
            pdf.grid(
                [("Description", "Qty", "Rate", "Amount"), *_TIDEWATER_ROWS],
                (90, 20, 30, 30),
                right=(1, 2, 3),
                size=11,
            ),
            pdf.gap(4),
            pdf.grid(
                [
                    ("Subtotal", "1,042.50"),
                    ("Sales Tax 6.25%", "65.16"),
                    ("Total Due", "$1,107.66"),
                ],
                (140, 30),
                right=(0, 1),
                size=12,
                line=0,
            ),
        ]
    )
    scanner = scan.Scanner(angle=0.8, blur=0.7, noise=0.12, shade=0.15, quality=45)
    return scan.paper(page, scanner)


def _totals(money: Money, subtotal: str, rate: str, tax: str, total: str) -> dict[str, object]:
    return {
        "subtotal": money.amount(subtotal),
        "tax_rate": money.number(rate),
        "tax": money.amount(tax),
        "total": money.amount(total),
    }


def samples() -> list[Sample]:
    """The English invoices on paper."""
    return [
        Sample(
            "invoice-harbour-foods.pdf",
            "invoice",
            "nothing: every value has its label",
            _harbour,
            {
                "invoice_number": text("BW-2041"),
                "invoice_date": date("3 March 2026", "2026-03-03"),
                "due_date": date("2 April 2026", "2026-04-02"),
                "supplier": text("Brightwater Catering Supplies Ltd"),
                "supplier_address": text("14 Quayside Road\nWhitby YO99 3PU"),
                "supplier_tax_id": text("GB 999 9999 73"),
                "customer": text("Harbour Foods Ltd"),
                "customer_address": text("3 Lantern Street\nScarborough YO99 1AB"),
                "purchase_order": text("HF-7781"),
                "iban": iban("GB82 WEST 1234 5698 7654 32"),
                "lines": _POUNDS.rows(_COLUMNS, *_HARBOUR_ROWS),
                **_totals(_POUNDS, "675.00", "20 %", "135.00", "£810.00"),
            },
        ),
        Sample(
            "invoice-no-labels.pdf",
            "invoice",
            "not one label: only place and form tell what a value is",
            _northlight,
            {
                "invoice_number": text("NS/26/0093"),
                "invoice_date": date("14 May 2026", "2026-05-14"),
                "supplier": text("NORTHLIGHT STUDIO"),
                "supplier_address": text("41 Foundry Yard, Leith EH99 6XX"),
                "customer": text("Pinecone Press Ltd"),
                "customer_address": text("9 Almond Row\nDundee DD99 1AA"),
                "iban": iban("NL91 ABNA 0417 1643 00"),
                "lines": _POUNDS.rows(_COLUMNS, *_NORTHLIGHT_ROWS),
                **_totals(_POUNDS, "1,010.00", "20 %", "202.00", "£1,212.00"),
            },
        ),
        Sample(
            "scan-invoice-tidewater.pdf",
            "invoice",
            "a scan within a PDF: askew, blurred, noisy; American dates",
            _tidewater,
            {
                "invoice_number": text("10458"),
                "invoice_date": date("04/17/2026", "2026-04-17"),
                "due_date": date("05/17/2026", "2026-05-17"),
                "supplier": text("Tidewater Marine Repairs"),
                "supplier_address": text("220 Dockside Avenue\nPort Mallory, MD 99901"),
                "customer": text("Bluegull Charters LLC"),
                "customer_address": text("77 Pelican Way\nPort Mallory, MD 99902"),
                "lines": _DOLLARS.rows(_COLUMNS, *_TIDEWATER_ROWS),
                **_totals(_DOLLARS, "1,042.50", "6.25%", "65.16", "$1,107.66"),
            },
        ),
    ]
