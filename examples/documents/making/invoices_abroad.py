"""The invoices in German and French."""

from making import office, pdf
from making.sample import Money, Sample, date, iban, text

_COLUMNS = "description quantity unit_price amount"

_EUROS = Money(",", "EUR")

_ALPENHOLZ_ROWS = (
    ("Esstisch Eiche massiv\n220 x 95 cm, geölt", "2", "1.234,56 €", "2.469,12 €"),
    (
        "Stuhl „Alm“\nEsche, Sitz gepolstert,\nBezug Loden grau",
        "16",
        "189,00 €",
        "3.024,00 €",
    ),
    ("Montage vor Ort", "6,5", "58,00 €", "377,00 €"),
)


def _alpenholz() -> bytes:
    return pdf.pages(
        [
            pdf.words(
                "Alpenholz Möbelwerkstatt GmbH\nAm Sägewerk 7\n83999 Bergthal", align="right"
            ),
            pdf.gap(10),
            pdf.words("Hotel Sonnenhang KG\nKurpromenade 21\n87999 Seedorf"),
            pdf.gap(12),
            pdf.words("Bergthal, 3. März 2026", align="right"),
            pdf.heading("Rechnung Nr. RE-2026-0318", 14),
            pdf.words("Ihre Bestellung: B-5521"),
            pdf.words(
                "Sehr geehrte Damen und Herren,\n"
                "für unsere Lieferung und Leistung erlauben wir uns zu berechnen:"
            ),
            pdf.grid(
                [("Bezeichnung", "Menge", "Einzelpreis", "Betrag"), *_ALPENHOLZ_ROWS],
                (86, 20, 32, 32),
                right=(1, 2, 3),
            ),
            pdf.gap(3),
            pdf.grid(
                [
                    ("Zwischensumme", "5.870,12 €"),
                    ("zzgl. 19 % MwSt.", "1.115,32 €"),
                    ("Rechnungsbetrag", "6.985,44 €"),
                ],
                (138, 32),
                right=(0, 1),
                line=0,
            ),
            pdf.gap(6),
            pdf.words("Zahlbar bis 17. März 2026 ohne Abzug auf das unten genannte Konto."),
        ],
        footer="IBAN DE89 3704 0044 0532 0130 00   |   USt-IdNr. DE999999999   |   Seite {page}",
    )


_LUMIERE_ROWS = (
    ("Projecteur à découpe", "4", "308,64\u202f€", "1\u202f234,56\u202f€"),
    ("Câble DMX 10 m", "12", "18,50\u202f€", "222,00\u202f€"),
    ("Location console lumière,\nsemaine du 23 février", "1", "450,00\u202f€", "450,00\u202f€"),
)


def _lumiere() -> bytes:
    return office.file(
        [
            office.heading("Atelier Lumière SARL"),
            office.words("8 rue des Tanneurs\n99100 Valmont-sur-Orne\nTVA FR 99 999999999"),
            office.words(
                "Facturé à :\nThéâtre des Trois Ponts\n25 quai des Brumes\n99200 Rivebelle"
            ),
            office.heading("Facture n° F-2026-047", 2),
            office.words("Date de facture : 1er mars 2026\nÉchéance : 31 mars 2026"),
            office.grid(
                [("Désignation", "Quantité", "Prix unitaire HT", "Montant HT"), *_LUMIERE_ROWS]
            ),
            office.words(""),
            office.grid(
                [
                    ("Total HT", "1\u202f906,56\u202f€"),
                    ("TVA 20 %", "381,31\u202f€"),
                    ("Total TTC", "2\u202f287,87\u202f€"),
                ]
            ),
            office.words("Règlement par virement, IBAN FR14 2004 1010 0505 0001 3M02 606"),
        ],
        title="Facture F-2026-047",
    )


def _totals(money: Money, subtotal: str, rate: str, tax: str, total: str) -> dict[str, object]:
    return {
        "subtotal": money.amount(subtotal),
        "tax_rate": money.number(rate),
        "tax": money.amount(tax),
        "total": money.amount(total),
    }


def samples() -> list[Sample]:
    """The invoices in German and French."""
    return [
        Sample(
            "rechnung-alpenholz.pdf",
            "invoice",
            "German dates and amounts, rows of several lines, no labels at the addresses",
            _alpenholz,
            {
                "invoice_number": text("RE-2026-0318"),
                "invoice_date": date("3. März 2026", "2026-03-03"),
                "due_date": date("17. März 2026", "2026-03-17"),
                "supplier": text("Alpenholz Möbelwerkstatt GmbH"),
                "supplier_address": text("Am Sägewerk 7\n83999 Bergthal"),
                "supplier_tax_id": text("DE999999999"),
                "customer": text("Hotel Sonnenhang KG"),
                "customer_address": text("Kurpromenade 21\n87999 Seedorf"),
                "purchase_order": text("B-5521"),
                "iban": iban("DE89 3704 0044 0532 0130 00"),
                "lines": _EUROS.rows(_COLUMNS, *_ALPENHOLZ_ROWS),
                **_totals(_EUROS, "5.870,12 €", "19 %", "1.115,32 €", "6.985,44 €"),
            },
        ),
        Sample(
            "facture-lumiere.docx",
            "invoice",
            "French dates and amounts with narrow spaces, tables of a word processor",
            _lumiere,
            {
                "invoice_number": text("F-2026-047"),
                "invoice_date": date("1er mars 2026", "2026-03-01"),
                "due_date": date("31 mars 2026", "2026-03-31"),
                "supplier": text("Atelier Lumière SARL"),
                "supplier_address": text("8 rue des Tanneurs\n99100 Valmont-sur-Orne"),
                "supplier_tax_id": text("FR 99 999999999"),
                "customer": text("Théâtre des Trois Ponts"),
                "customer_address": text("25 quai des Brumes\n99200 Rivebelle"),
                "iban": iban("FR14 2004 1010 0505 0001 3M02 606"),
                "lines": _EUROS.rows(_COLUMNS, *_LUMIERE_ROWS),
                **_totals(
                    _EUROS,
                    "1\u202f906,56\u202f€",
                    "20 %",
                    "381,31\u202f€",
                    "2\u202f287,87\u202f€",
                ),
            },
        ),
    ]
