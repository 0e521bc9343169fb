"""The contracts in German and French: a lease and an order of services."""

from making import pdf
from making.sample import Money, Sample, date, text

_EUROS = Money(",", "EUR")

_LEASE = (
    (
        "§ 1 Mietsache",
        (
            "Vermietet wird die Wohnung im 2. Obergeschoss links, Ahornweg 12, 04999 Musterstadt, "
            "bestehend aus drei Zimmern, Küche, Bad und Keller, Wohnfläche 74 m²."
        ),
    ),
    (
        "§ 2 Mietzeit",
        (
            "Das Mietverhältnis beginnt am 1. Mai 2026 und läuft auf unbestimmte Zeit. Die "
            "Kündigungsfrist beträgt drei Monate zum Monatsende."
        ),
    ),
    (
        "§ 3 Miete",
        (
            "Die monatliche Miete beträgt 845,00 €. Hinzu kommt eine Vorauszahlung auf die "
            "Betriebskosten von 190,00 €. Die Miete ist bis zum dritten Werktag zu zahlen."
        ),
    ),
    (
        "§ 4 Kaution",
        "Der Mieter leistet eine Sicherheit von 2.535,00 € in drei gleichen Raten.",
    ),
    (
        "§ 5 Schönheitsreparaturen",
        (
            "Der Mieter übernimmt die während der Mietzeit fälligen Schönheitsreparaturen, soweit "
            "sie durch seinen Gebrauch der Wohnung veranlasst sind."
        ),
    ),
    (
        "§ 6 Schlussbestimmungen",
        "Änderungen dieses Vertrages bedürfen der Schriftform. Es gilt deutsches Recht.",
    ),
)


def _lease() -> bytes:
    clauses = [
        block for title, clause in _LEASE for block in (pdf.heading(title), pdf.words(clause))
    ]
    return pdf.pages(
        [
            pdf.heading("Mietvertrag über Wohnraum", 18),
            pdf.words("Zwischen"),
            pdf.words("Wohnbau Lindenhof eG, Lindenallee 1, 04999 Musterstadt\nals Vermieter"),
            pdf.words("und"),
            pdf.words("Jorun Feldkamp, Gartenstraße 9, 04998 Nebenstadt\nals Mieter"),
            pdf.words("wird folgender Mietvertrag geschlossen:"),
            *clauses,
            pdf.gap(10),
            pdf.words("Musterstadt, den 20. April 2026"),
            pdf.gap(12),
            pdf.beside("____________________\nVermieter", "____________________\nMieter"),
        ],
        footer="Mietvertrag Nr. LH-2026-077, Seite {page}",
    )


_CONTRAT = """\
# Contrat de prestation de services

Contrat n° 2026-C-19

Entre les soussignés :

**Coopérative du Val Fleuri**, 3 chemin des Vignes, 99400 Val-Fleuri, ci-après « le Client »,

et

**Imprimerie Duchesne & Fils**, 11 rue de l'Horloge, 99410 Montclair, ci-après « le Prestataire »,

il a été convenu ce qui suit.

## Article 1 : objet

Le Prestataire imprime et livre chaque trimestre 4 000 exemplaires du bulletin du Client.

## Article 2 : durée

Le contrat prend effet le 1er juillet 2026 pour une durée de deux ans. Il prend fin le
30 juin 2028. Chaque partie peut le résilier avec un préavis de six mois.

## Article 3 : prix

Le prix est fixé à 3 480,00 € hors taxes par livraison, payable à trente jours.

## Article 4 : responsabilité

Le Prestataire répond des défauts d'impression signalés dans les dix jours de la livraison.

## Article 5 : droit applicable

Le présent contrat est soumis au droit français.

Fait à Montclair, le 12 juin 2026, en deux exemplaires.
"""


def samples() -> list[Sample]:
    """The contracts in German and French."""
    return [
        Sample(
            "mietvertrag.pdf",
            "contract",
            "German; several amounts of which one is the rent; number in the footer",
            _lease,
            {
                "title": text("Mietvertrag über Wohnraum"),
                "contract_number": text("LH-2026-077"),
                "contract_date": date("20. April 2026", "2026-04-20"),
                "first_party": text("Wohnbau Lindenhof eG"),
                "second_party": text("Jorun Feldkamp"),
                "effective_date": date("1. Mai 2026", "2026-05-01"),
                "term": text("auf unbestimmte Zeit"),
                "notice_period": text("drei Monate zum Monatsende"),
                "value": _EUROS.amount("845,00 €"),
                "governing_law": text("deutsches Recht"),
            },
        ),
        Sample(
            "contrat-prestation.md",
            "contract",
            "French; Markdown",
            _CONTRAT.encode,
            {
                "title": text("Contrat de prestation de services"),
                "contract_number": text("2026-C-19"),
                "contract_date": date("12 juin 2026", "2026-06-12"),
                "first_party": text("Coopérative du Val Fleuri"),
                "second_party": text("Imprimerie Duchesne & Fils"),
                "effective_date": date("1er juillet 2026", "2026-07-01"),
                "end_date": date("30 juin 2028", "2028-06-30"),
                "term": text("deux ans"),
                "notice_period": text("six mois"),
                "value": _EUROS.amount("3 480,00 €"),
                "governing_law": text("droit français"),
            },
        ),
    ]
