"""The receipts that are images: till slips as photographs and scans."""

from making import pdf, scan
from making.sample import Money, Sample, date, text

_POUNDS = Money(".", "GBP")
_EUROS = Money(",", "EUR")
_RINGGIT = Money(".", "MYR")

_COLUMNS = "description quantity unit_price amount"
_WIDTH = 230.0
"""Width of a till slip in points, about 81 mm."""

_BAKERY = """
       CORNER BAKERY
       12 Mill Lane
  Ashford Bridge AB99 4CD
     Tel 01632 960144

Receipt No 004417
Date 24/03/2026 08:41   Till 2
--------------------------------
2 x Croissant  @ 1.80       3.60
1 x Flat white @ 3.20       3.20
1 x Sourdough  @ 4.75       4.75
--------------------------------
TOTAL                     £11.55
CASH                       20.00
CHANGE                      8.45
VAT 20% incl.               0.53

   Thank you for your visit
"""

_FRISCHMARKT = """
      Frischmarkt Lindenau
          Lindenallee 4
        04999 Musterstadt

Vollkornbrot            3,49 A
Joghurt natur
   3 x   0,89           2,67 A
Apfel Boskoop
   1,240 kg x 2,99 €/kg 3,71 A
Kaffee 500 g            7,99 A
------------------------------
SUMME   EUR            17,86
BAR                    20,00
RÜCKGELD                2,14

MwSt A 7 %  enth.       1,17
Datum: 28.02.2026  17:22 Uhr
Bon-Nr. 7731      Kasse 3
Vielen Dank für Ihren Einkauf!
"""

_PARKING = """
     STATION SQUARE CAR PARK
       1 Station Square
      Elmsworth EW99 1BB

PAYMENT RECEIPT

Ticket no     550912
Entry         19 Jan 2026 09:02
Paid on       19 Jan 2026 13:37
Duration      4 h 35 min

TOTAL PAID            £6.40
of which VAT          £1.07
Card ending 0042
"""

_KEDAI = """
    KEDAI SERI CONTOH SDN BHD
         (999999-X)
  NO 12, JALAN CONTOH 3/4,
  TAMAN CONTOH,
  99999 BANDAR CONTOH.
  TEL: 03-5550 0100

TAX INVOICE
DOC NO. : CS00012873
DATE    : 16/05/2026 14:08:55
CASHIER : USER 1
--------------------------------
ITEM          QTY  PRICE  AMOUNT
A4 PAPER 80G    2  11.90   23.80
GEL PEN BLUE    5   2.30   11.50
RING FILE       1   6.35    6.35
--------------------------------
SUB TOTAL                  41.65
GST 6%                      2.50
ROUNDING                    0.00
TOTAL RM                   44.15
CASH                       50.00
CHANGE                      5.85
--------------------------------
GOODS SOLD ARE NOT RETURNABLE
"""


def _slip(lines: str, height: float) -> bytes:
    return pdf.pages([pdf.typed(lines, 10)], columns=(75,), paper=(_WIDTH, height), margin=4)


def _bakery() -> bytes:
    scanner = scan.Scanner(dots=170, angle=-2.2, blur=0.8, noise=0.15, shade=0.3, quality=40)
    return scan.jpeg(_slip(_BAKERY, 270.0), scanner)


def _kedai() -> bytes:
    scanner = scan.Scanner(dots=180, angle=1.6, blur=1.0, noise=0.2, shade=0.2, quality=40)
    return scan.jpeg(_slip(_KEDAI, 340.0), scanner)


def _frischmarkt() -> bytes:
    return scan.png(_slip(_FRISCHMARKT, 250.0), scan.Scanner(dots=150, blur=0.4))


def _parking() -> bytes:
    return scan.tiff(_slip(_PARKING, 240.0), scan.Scanner(dots=200, angle=0.6))


def samples() -> list[Sample]:
    """The receipts that are images."""
    return [
        Sample(
            "receipt-corner-bakery.jpg",
            "receipt",
            "a photograph: askew, blurred, noisy, darker to one side",
            _bakery,
            {
                "company": text("CORNER BAKERY"),
                "address": text("12 Mill Lane\nAshford Bridge AB99 4CD"),
                "date": date("24/03/2026", "2026-03-24"),
                "receipt_number": text("004417"),
                "tax": _POUNDS.amount("0.53"),
                "total": _POUNDS.amount("£11.55"),
                "cash": _POUNDS.amount("20.00"),
                "change": _POUNDS.amount("8.45"),
                "lines": _POUNDS.rows(
                    _COLUMNS,
                    ("Croissant", "2", "1.80", "3.60"),
                    ("Flat white", "1", "3.20", "3.20"),
                    ("Sourdough", "1", "4.75", "4.75"),
                ),
            },
        ),
        Sample(
            "receipt-kedai.jpg",
            "receipt",
            "a photograph, more blurred; tax, rounding, an address of three lines",
            _kedai,
            {
                "company": text("KEDAI SERI CONTOH SDN BHD"),
                "address": text("NO 12, JALAN CONTOH 3/4,\nTAMAN CONTOH,\n99999 BANDAR CONTOH."),
                "date": date("16/05/2026", "2026-05-16"),
                "receipt_number": text("CS00012873"),
                "subtotal": _RINGGIT.amount("41.65"),
                "tax": _RINGGIT.amount("2.50"),
                "total": _RINGGIT.amount("44.15"),
                "cash": _RINGGIT.amount("50.00"),
                "change": _RINGGIT.amount("5.85"),
                "lines": _RINGGIT.rows(
                    _COLUMNS,
                    ("A4 PAPER 80G", "2", "11.90", "23.80"),
                    ("GEL PEN BLUE", "5", "2.30", "11.50"),
                    ("RING FILE", "1", "6.35", "6.35"),
                ),
            },
        ),
        Sample(
            "kassenbon-frischmarkt.png",
            "receipt",
            "an image; German amounts, goods sold by weight, date at the foot",
            _frischmarkt,
            {
                "company": text("Frischmarkt Lindenau"),
                "address": text("Lindenallee 4\n04999 Musterstadt"),
                "date": date("28.02.2026", "2026-02-28"),
                "receipt_number": text("7731"),
                "tax": _EUROS.amount("1,17"),
                "total": _EUROS.amount("17,86"),
                "cash": _EUROS.amount("20,00"),
                "change": _EUROS.amount("2,14"),
                "lines": _EUROS.rows(
                    _COLUMNS,
                    ("Vollkornbrot", "", "", "3,49"),
                    ("Joghurt natur", "3", "0,89", "2,67"),
                    ("Apfel Boskoop", "1,240", "2,99", "3,71"),
                    ("Kaffee 500 g", "", "", "7,99"),
                ),
            },
        ),
        Sample(
            "receipt-parking.tiff",
            "receipt",
            "a black and white fax; two times, no goods",
            _parking,
            {
                "company": text("STATION SQUARE CAR PARK"),
                "address": text("1 Station Square\nElmsworth EW99 1BB"),
                "date": date("19 Jan 2026", "2026-01-19"),
                "receipt_number": text("550912"),
                "tax": _POUNDS.amount("£1.07"),
                "total": _POUNDS.amount("£6.40"),
            },
        ),
    ]
