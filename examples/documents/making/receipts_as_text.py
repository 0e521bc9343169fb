"""The receipts that are text: a printed slip and a mail."""

from making import office
from making.sample import Money, Sample, date, text

_EUROS = Money(",", "EUR")
_DOLLARS = Money(".", "USD")

_COLUMNS = "description quantity unit_price amount"
_BISTROT = """\
            LE BISTROT DU CANAL
             17 quai de l'Écluse
              99300 Port-Saint-Luc

Ticket n° 2026-1187          Table 6
Le 14/07/2026 à 21:48

2  Menu du jour      18,50     37,00
1  Tarte aux figues   7,80      7,80
2  Café               2,50      5,00
1  Eau gazeuse 1 L    5,00      5,00
------------------------------------
TOTAL TTC                   54,80 €
dont TVA 10 %                4,98 €
Carte bancaire              54,80 €

    Merci de votre visite, à bientôt !
"""

_RIDE = """\
<html><body style="font-family: sans-serif">
<h2>Marigold Cabs</h2>
<p>88 Juniper Avenue, Redhill Falls, NM 99907</p>
<p>Receipt for your ride on November 5, 2026, 07:12 PM</p>
<table>
<tr><td>Receipt #</td><td>MC-40771-R</td></tr>
<tr><td>Fare</td><td>$18.60</td></tr>
<tr><td>Airport fee</td><td>$3.50</td></tr>
<tr><td>Subtotal</td><td>$22.10</td></tr>
<tr><td>Sales tax</td><td>$1.75</td></tr>
<tr><td><b>Total</b></td><td><b>$23.85</b></td></tr>
<tr><td>Visa ending 4242</td><td>$23.85</td></tr>
</table>
<p>Thank you for riding with us.</p>
</body></html>
"""


def _ride() -> bytes:
    return office.mail(
        ("Marigold Cabs", "receipts@marigold-cabs.example.com"),
        ("Tomasz Vey", "tomasz.vey@example.org"),
        "Your ride receipt",
        sent="Thu, 05 Nov 2026 19:31:00 -0700",
        body=_RIDE,
        subtype="html",
    )


def samples() -> list[Sample]:
    """The receipts that are text."""
    return [
        Sample(
            "ticket-bistrot.txt",
            "receipt",
            "French, tax included in the total",
            _BISTROT.encode,
            {
                "company": text("LE BISTROT DU CANAL"),
                "address": text("17 quai de l'Écluse\n99300 Port-Saint-Luc"),
                "date": date("14/07/2026", "2026-07-14"),
                "receipt_number": text("2026-1187"),
                "tax": _EUROS.amount("4,98 €"),
                "total": _EUROS.amount("54,80 €"),
                "cash": _EUROS.amount("54,80 €"),
                "lines": _EUROS.rows(
                    _COLUMNS,
                    ("Menu du jour", "2", "18,50", "37,00"),
                    ("Tarte aux figues", "1", "7,80", "7,80"),
                    ("Café", "2", "2,50", "5,00"),
                    ("Eau gazeuse 1 L", "1", "5,00", "5,00"),
                ),
            },
        ),
        Sample(
            "receipt-ride.eml",
            "receipt",
            "a mail that has only HTML; a letter by form, a receipt by content",
            _ride,
            {
                "company": text("Marigold Cabs"),
                "address": text("88 Juniper Avenue, Redhill Falls, NM 99907"),
                "date": date("November 5, 2026", "2026-11-05"),
                "receipt_number": text("MC-40771-R"),
                "subtotal": _DOLLARS.amount("$22.10"),
                "tax": _DOLLARS.amount("$1.75"),
                "total": _DOLLARS.amount("$23.85"),
                "cash": _DOLLARS.amount("$23.85"),
                "lines": _DOLLARS.rows(
                    "description amount", ("Fare", "$18.60"), ("Airport fee", "$3.50")
                ),
            },
        ),
    ]
