"""The bank statements: forty bookings on two pages, a German table and a French listing."""

from decimal import Decimal

from making import pdf
from making.sample import Money, Sample, Truth, date, iban, text

_POUNDS = Money(".", "GBP")
_EUROS = Money(",", "EUR")

_OPENING = Decimal("2310.55")
_MARCH = """\
02|Standing order Wharfside Lettings, rent|-780.00
02|Card payment Corner Bakery|-6.80
03|Card payment Greenleaf Grocers|-41.27
04|Direct debit Severn Vale Water|-33.50
05|Card payment Station Square Car Park|-6.40
05|Transfer from Idris Pennant|50.00
06|Card payment Quayside Books|-18.99
07|Card payment Greenleaf Grocers|-37.02
09|Direct debit Brightwire Energy|-96.14
09|Card payment Northgate Pharmacy|-12.35
10|Cash machine High Street|-60.00
10|Card payment The Anchor Inn|-27.80
11|Card payment Lakeland Railways|-44.10
12|Refund Quayside Books|18.99
12|Card payment Greenleaf Grocers|-52.66
13|Direct debit Hollin Mobile|-15.00
14|Card payment Cinema Regal|-19.00
14|Card payment Marigold Cabs|-11.75
16|Card payment Greenleaf Grocers|-29.43
16|Direct debit Elmsworth Council, tax|-142.00
17|Card payment Corner Bakery|-4.10
17|Cheque 000871|-85.00
18|Card payment Fenwick Hardware|-63.48
19|Transfer to savings account|-200.00
19|Card payment Greenleaf Grocers|-44.91
20|Card payment Northgate Dental Practice|-72.00
21|Card payment Thistledown Garden Centre|-38.25
21|Transfer from Idris Pennant|25.00
23|Card payment Greenleaf Grocers|-31.18
23|Card payment Station Square Car Park|-6.40
24|Direct debit Harbour Gym|-24.99
25|Card payment Quayside Books|-9.49
25|Card payment The Anchor Inn|-33.60
26|Card payment Greenleaf Grocers|-47.73
27|Salary Alder Works Ltd|2,486.20
27|Card payment Marigold Cabs|-14.20
28|Card payment Fenwick Hardware|-21.05
30|Cash machine High Street|-80.00
31|Interest|1.12
31|Account fee|-5.00
"""


def _bookings() -> list[tuple[str, str, str, str]]:
    """Date, description, amount and balance of each booking, as printed."""
    balance, bookings = _OPENING, []
    for line in _MARCH.splitlines():
        day, description, amount = line.split("|")
        balance += Decimal(amount.replace(",", ""))
        bookings.append((f"{day} Mar 2026", description, amount, f"{balance:,.2f}"))
    return bookings


def _statement() -> bytes:
    bookings = _bookings()
    return pdf.pages(
        [
            pdf.heading("Severn Vale Bank", 18),
            pdf.words("Statement of account", 12),
            pdf.beside(
                "Gwen Pennant\n19 Weir Street\nElmsworth EW99 3KK",
                "Account number: 31926819\nIBAN: GB29 NWBK 6016 1331 9268 19\n"
                "Statement no: 3\nStatement date: 1 April 2026\n"
                "Period: 1 March 2026 to 31 March 2026",
            ),
            pdf.gap(6),
            pdf.words("Opening balance: £2,310.55", align="right"),
            pdf.grid(
                [("Date", "Description", "Amount", "Balance"), *bookings],
                (28, 82, 30, 30),
                right=(2, 3),
                size=10,
            ),
            pdf.gap(4),
            pdf.words(f"Closing balance: £{bookings[-1][3]}", align="right"),
        ],
        footer="Severn Vale Bank, 1 Bank Parade, Elmsworth.   Page {page}",
    )


def _march() -> list[Truth]:
    rows = []
    for printed, description, amount, balance in _bookings():
        row: Truth = {
            "date": date(printed, f"2026-03-{printed[:2]}"),
            "description": text(description),
            "amount": _POUNDS.amount(amount),
            "balance": _POUNDS.amount(balance),
        }
        rows.append(row)
    return rows


_KONTOAUSZUG = """\
Bank;Sparbank Musterstadt
Kontoinhaber;Töpferei Rosenau GbR
IBAN;AT61 1904 3002 3457 3201
Auszug Nr.;2/2026
Zeitraum;01.02.2026 - 28.02.2026
Erstellt am;01.03.2026

Alter Kontostand;;;1.204,10 EUR
Buchungstag;Verwendungszweck;Betrag;Saldo
03.02.2026;Miete Werkstatt;-640,00;564,10
06.02.2026;"Gutschrift Rechnung 118; Hotel Sonnenhang";999,60;1.563,70
11.02.2026;Stadtwerke Abschlag;-88,40;1.475,30
16.02.2026;Tonlager Meier, Westerwälder Ton;-312,75;1.162,55
20.02.2026;Bareinzahlung Markttag;1.435,20;2.597,75
27.02.2026;Kontoführung;-7,90;2.589,85
Neuer Kontostand;;;2.589,85 EUR
"""

_RELEVE = """\
CRÉDIT RIVERAIN                                        Relevé n° 07
                                                       Édité le 1er août 2026
Titulaire : M. Ludovic Charrier
            9 place du Marché
            99200 Rivebelle

IBAN : FR76 3000 6000 0112 3456 7890 189      BIC : RIVRFR2X
Période : du 1er juillet 2026 au 31 juillet 2026

Ancien solde                                                1 512,40 €

DATE    LIBELLÉ                                MONTANT         SOLDE
02/07   Virement salaire Imprimerie Duchesne  1 980,00      3 492,40
03/07   Prélèvement loyer                      -720,00      2 772,40
08/07   Carte Marché Bio                        -46,35      2 726,05
14/07   Carte Le Bistrot du Canal               -54,80      2 671,25
21/07   Chèque 4410228                         -130,00      2 541,25
29/07   Retrait distributeur                   -100,00      2 441,25

Nouveau solde                                               2 441,25 €
"""


def _rows(year: str, *bookings: tuple[str, str, str, str]) -> list[Truth]:
    return [
        {
            "date": date(printed, f"{year}-{printed[3:5]}-{printed[:2]}"),
            "description": text(description),
            "amount": _EUROS.amount(amount),
            "balance": _EUROS.amount(balance),
        }
        for printed, description, amount, balance in bookings
    ]


def samples() -> list[Sample]:
    """All bank statements."""
    return [
        Sample(
            "statement-two-pages.pdf",
            "bank_statement",
            "forty bookings; the table goes on on a second page",
            _statement,
            {
                "bank": text("Severn Vale Bank"),
                "account_holder": text("Gwen Pennant"),
                "account_holder_address": text("19 Weir Street\nElmsworth EW99 3KK"),
                "account_number": text("31926819"),
                "iban": iban("GB29 NWBK 6016 1331 9268 19"),
                "statement_number": text("3"),
                "statement_date": date("1 April 2026", "2026-04-01"),
                "period": text("1 March 2026 to 31 March 2026"),
                "opening_balance": _POUNDS.amount("£2,310.55"),
                "closing_balance": _POUNDS.amount(f"£{_bookings()[-1][3]}"),
                "transactions": _march(),
            },
        ),
        Sample(
            "kontoauszug.csv",
            "bank_statement",
            "German; semicolons, decimal commas, a byte order mark, a quoted cell",
            lambda: _KONTOAUSZUG.encode("utf-8-sig"),
            {
                "bank": text("Sparbank Musterstadt"),
                "account_holder": text("Töpferei Rosenau GbR"),
                "iban": iban("AT61 1904 3002 3457 3201"),
                "statement_number": text("2/2026"),
                "statement_date": date("01.03.2026", "2026-03-01"),
                "period": text("01.02.2026 - 28.02.2026"),
                "opening_balance": _EUROS.amount("1.204,10 EUR"),
                "closing_balance": _EUROS.amount("2.589,85 EUR"),
                "transactions": _rows(
                    "2026",
                    ("03.02.2026", "Miete Werkstatt", "-640,00", "564,10"),
                    (
                        "06.02.2026",
                        "Gutschrift Rechnung 118; Hotel Sonnenhang",
                        "999,60",
                        "1.563,70",
                    ),
                    ("11.02.2026", "Stadtwerke Abschlag", "-88,40", "1.475,30"),
                    ("16.02.2026", "Tonlager Meier, Westerwälder Ton", "-312,75", "1.162,55"),
                    ("20.02.2026", "Bareinzahlung Markttag", "1.435,20", "2.597,75"),
                    ("27.02.2026", "Kontoführung", "-7,90", "2.589,85"),
                ),
            },
        ),
        Sample(
            "releve-de-compte.txt",
            "bank_statement",
            "French; columns held by spaces alone, dates without a year",
            _RELEVE.encode,
            {
                "bank": text("CRÉDIT RIVERAIN"),
                "account_holder": text("M. Ludovic Charrier"),
                "account_holder_address": text("9 place du Marché\n99200 Rivebelle"),
                "iban": iban("FR76 3000 6000 0112 3456 7890 189"),
                "bic": text("RIVRFR2X"),
                "statement_number": text("07"),
                "statement_date": date("1er août 2026", "2026-08-01"),
                "period": text("du 1er juillet 2026 au 31 juillet 2026"),
                "opening_balance": _EUROS.amount("1 512,40 €"),
                "closing_balance": _EUROS.amount("2 441,25 €"),
                "transactions": _rows(
                    "2026",
                    ("02/07", "Virement salaire Imprimerie Duchesne", "1 980,00", "3 492,40"),
                    ("03/07", "Prélèvement loyer", "-720,00", "2 772,40"),
                    ("08/07", "Carte Marché Bio", "-46,35", "2 726,05"),
                    ("14/07", "Carte Le Bistrot du Canal", "-54,80", "2 671,25"),
                    ("21/07", "Chèque 4410228", "-130,00", "2 541,25"),
                    ("29/07", "Retrait distributeur", "-100,00", "2 441,25"),
                ),
            },
        ),
    ]
