"""The invoices that are text: a table of values, a web page and the attachment of a mail."""

from making import office, pdf
from making.sample import Money, Sample, Truth, date, iban, text

_COLUMNS = "description quantity unit_price amount"
_POUNDS = Money(".", "GBP")
_DOLLARS = Money(".", "USD")

_KESTREL = """\
Invoice number,KX-88120
Invoice date,2026-02-09
Due date,2026-02-23
Supplier,Kestrel Courier Services Ltd
Supplier address,"Unit 6, Heron Park, Lowfield LF99 2AA"
VAT number,GB 999 9999 73
Customer,Marsh Pottery
Customer address,"2 Kiln Lane, Saltby SB99 7QQ"
Currency,GBP

Description,Quantity,Unit price,Amount
"Parcel, next day",14,7.20,100.80
"Parcel, fragile, signed for",3,11.95,35.85
Pallet,1,64.00,64.00

Subtotal,,,200.65
VAT 20%,,,40.13
Total due,,,240.78
"""

_CLOUDBERRY = """\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Your invoice</title>
<style>table { border-collapse: collapse } td, th { padding: 4px 12px }</style></head>
<body>
<h1>Cloudberry Hosting Inc.</h1>
<p>500 Larkspur Street, Suite 12<br>Fairbanks Mill, OR 99905</p>
<h2>Invoice</h2>
<table>
<tr><th>Invoice number</th><td>CB-2026-000731</td></tr>
<tr><th>Date of issue</th><td>Feb 9, 2026</td></tr>
<tr><th>Payment due</th><td>Feb 23, 2026</td></tr>
<tr><th>Bill to</th><td>Quillon &amp; Daughters<br>18 Orchard Loop<br>Millbrook, OR 99906</td></tr>
</table>
<table>
<thead><tr><th>Description</th><th>Qty</th><th>Unit price</th><th>Amount</th></tr></thead>
<tbody>
<tr><td>Virtual server, medium, January</td><td>2</td><td>$24.00</td><td>$48.00</td></tr>
<tr><td>Object storage, 100 GB</td><td>5</td><td>$1.90</td><td>$9.50</td></tr>
<tr><td>Priority support</td><td>1</td><td>$40.00</td><td>$40.00</td></tr>
</tbody>
<tfoot>
<tr><td colspan="3">Subtotal</td><td>$97.50</td></tr>
<tr><td colspan="3">Sales tax 8%</td><td>$7.80</td></tr>
<tr><td colspan="3">Amount due</td><td>$105.30</td></tr>
</tfoot>
</table>
<script>window.total = "never shown";</script>
<p>Questions? Write to <a href="mailto:billing@cloudberry.example.com">our billing desk</a>.</p>
</body>
</html>
"""

_MAIL = """\
Dear Mr Osei,

thank you for your order of 11 May. The three reams of watercolour paper left our mill this
morning and should be with you by Thursday.

Our invoice is attached. If anything about the parcel is not as it should be, please write to me
within a week and I shall see to it myself.

Yours sincerely

Ines Calloway
Fenwick Paper Mill
"""

_FENWICK_ROWS = (("Watercolour paper 300 g, ream", "3", "62.40", "187.20"),)


def _fenwick_invoice() -> bytes:
    return pdf.pages(
        [
            pdf.heading("Fenwick Paper Mill", 16),
            pdf.words("Weir Cottage, Fenwick FW99 8ZZ"),
            pdf.words("Invoice to: Kwame Osei, 30 Ropewalk, Bristley BR99 5AA"),
            pdf.words("Invoice No. FP-3310\nDate: 13 May 2026\nDue: 12 June 2026"),
            pdf.grid(
                [("Item", "Qty", "Price", "Total"), *_FENWICK_ROWS], (90, 20, 30, 30), (1, 2, 3)
            ),
            pdf.gap(3),
            pdf.words("Net total 187.20\nVAT 20 % 37.44\nTotal £224.64", align="right"),
            pdf.words("Bank details: IBAN GB33 BUKB 2020 1555 5555 55"),
        ]
    )


_FENWICK: Truth = {
    "invoice_number": text("FP-3310"),
    "invoice_date": date("13 May 2026", "2026-05-13"),
    "due_date": date("12 June 2026", "2026-06-12"),
    "supplier": text("Fenwick Paper Mill"),
    "supplier_address": text("Weir Cottage, Fenwick FW99 8ZZ"),
    "customer": text("Kwame Osei"),
    "customer_address": text("30 Ropewalk, Bristley BR99 5AA"),
    "subtotal": _POUNDS.amount("187.20"),
    "tax_rate": _POUNDS.number("20 %"),
    "tax": _POUNDS.amount("37.44"),
    "total": _POUNDS.amount("£224.64"),
    "iban": iban("GB33 BUKB 2020 1555 5555 55"),
    "lines": _POUNDS.rows(_COLUMNS, *_FENWICK_ROWS),
}


def _mail() -> bytes:
    return office.mail(
        ("Fenwick Paper Mill", "ines@fenwick.example.com"),
        ("Kwame Osei", "kwame.osei@example.org"),
        "Your order of 11 May",
        sent="Wed, 13 May 2026 09:14:00 +0000",
        body=_MAIL,
        attachments={"invoice-FP-3310.pdf": _fenwick_invoice()},
    )


def samples() -> list[Sample]:
    """The invoices that are text, and the letter that carries one."""
    return [
        Sample(
            "invoice-courier.csv",
            "invoice",
            "pairs and a table in one file of comma-separated values",
            _KESTREL.encode,
            {
                "invoice_number": text("KX-88120"),
                "invoice_date": date("2026-02-09", "2026-02-09"),
                "due_date": date("2026-02-23", "2026-02-23"),
                "supplier": text("Kestrel Courier Services Ltd"),
                "supplier_address": text("Unit 6, Heron Park, Lowfield LF99 2AA"),
                "supplier_tax_id": text("GB 999 9999 73"),
                "customer": text("Marsh Pottery"),
                "customer_address": text("2 Kiln Lane, Saltby SB99 7QQ"),
                "subtotal": _POUNDS.amount("200.65"),
                "tax_rate": _POUNDS.number("20%"),
                "tax": _POUNDS.amount("40.13"),
                "total": _POUNDS.amount("240.78"),
                "lines": _POUNDS.rows(
                    _COLUMNS,
                    ("Parcel, next day", "14", "7.20", "100.80"),
                    ("Parcel, fragile, signed for", "3", "11.95", "35.85"),
                    ("Pallet", "1", "64.00", "64.00"),
                ),
            },
        ),
        Sample(
            "invoice-hosting.html",
            "invoice",
            "a web page with styles and a script, tables with joined cells",
            _CLOUDBERRY.encode,
            {
                "invoice_number": text("CB-2026-000731"),
                "invoice_date": date("Feb 9, 2026", "2026-02-09"),
                "due_date": date("Feb 23, 2026", "2026-02-23"),
                "supplier": text("Cloudberry Hosting Inc."),
                "supplier_address": text("500 Larkspur Street, Suite 12\nFairbanks Mill, OR 99905"),
                "customer": text("Quillon & Daughters"),
                "customer_address": text("18 Orchard Loop\nMillbrook, OR 99906"),
                "subtotal": _DOLLARS.amount("$97.50"),
                "tax_rate": _DOLLARS.number("8%"),
                "tax": _DOLLARS.amount("$7.80"),
                "total": _DOLLARS.amount("$105.30"),
                "lines": _DOLLARS.rows(
                    _COLUMNS,
                    ("Virtual server, medium, January", "2", "$24.00", "$48.00"),
                    ("Object storage, 100 GB", "5", "$1.90", "$9.50"),
                    ("Priority support", "1", "$40.00", "$40.00"),
                ),
            },
        ),
        Sample(
            "mail-with-invoice.eml",
            "letter",
            "a mail whose attachment, an invoice, becomes a document of its own",
            _mail,
            {
                "sender": text("Fenwick Paper Mill"),
                "recipient": text("Kwame Osei"),
                "date": date("13 May 2026", "2026-05-13"),
                "subject": text("Your order of 11 May"),
                "signatory": text("Ines Calloway"),
            },
            attachments={"invoice-FP-3310.pdf": ("invoice", _FENWICK)},
        ),
    ]
