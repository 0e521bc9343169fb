"""The contracts in English: services, and an agreement in two columns."""

from making import office, pdf
from making.sample import Money, Sample, date, text

_POUNDS = Money(".", "GBP")

_SERVICES = (
    (
        "1. Services",
        (
            "The Contractor shall maintain the Client's web shop, repair faults within two working "
            "days and deliver the monthly statistics described in Schedule A."
        ),
    ),
    (
        "2. Term",
        (
            "This Agreement has an effective date of 15 April 2026 and runs for an initial term of "
            "twelve months. It expires on 14 April 2027 unless it is renewed in writing."
        ),
    ),
    (
        "3. Fees",
        (
            "The Client shall pay a fee of £1,850.00 for each calendar month, within thirty days "
            "of receipt of the Contractor's invoice."
        ),
    ),
    (
        "4. Termination",
        (
            "Either party may end this Agreement by giving a notice of three months in writing. "
            "Either party may end it at once if the other commits a material breach."
        ),
    ),
    (
        "5. Confidentiality",
        (
            "Each party shall keep the other's business secrets to itself, during the term and for "
            "two years after its end."
        ),
    ),
    (
        "6. Governing law",
        (
            "This Agreement is governed by the laws of England and Wales. The courts of London "
            "have exclusive jurisdiction."
        ),
    ),
)


def _services() -> bytes:
    clauses = [
        block
        for title, clause in _SERVICES
        for block in (office.heading(title, 2), office.words(clause))
    ]
    return office.file(
        [
            office.heading("Web Maintenance Agreement", 0),
            office.words("Agreement No. SA-2026-14"),
            office.words(
                "This Agreement is made on 1 April 2026 between Alder Works Ltd, 5 Tannery Row, "
                "Leeds LS99 4AA (the Client) and Finch & Wren Studio LLP, 60 Canal Street, "
                "York YO99 8BB (the Contractor)."
            ),
            *clauses,
            office.words("Signed for and on behalf of"),
            office.grid(
                [
                    ("Alder Works Ltd", "Finch & Wren Studio LLP"),
                    ("Petra Holloway, Director", "Ned Abara, Partner"),
                ]
            ),
        ],
        title="Web Maintenance Agreement",
    )


_SECRETS = (
    (
        "1. Purpose",
        (
            "The parties wish to explore a joint production of insulating boards made of reed. For "
            "that purpose each may disclose to the other drawings, recipes, prices and names of "
            "customers (together, Confidential Information)."
        ),
    ),
    (
        "2. Duties",
        (
            "The receiving party shall use Confidential Information for the Purpose only, shall "
            "show it to such employees alone as need to know it, and shall guard it with the care "
            "that it gives to its own secrets, and with no less than reasonable care."
        ),
    ),
    (
        "3. Exceptions",
        (
            "These duties do not cover what was public before disclosure, became public without "
            "the fault of the receiving party, was lawfully received from a third party, or was "
            "found independently, as written records can show."
        ),
    ),
    (
        "4. Term",
        (
            "This Agreement takes effect on 2 June 2026 and ends on 1 June 2029. The duties of "
            "section 2 outlive it by five years. Either party may end it sooner by written notice "
            "of sixty days."
        ),
    ),
    (
        "5. Return",
        (
            "On request, and at the end of this Agreement in any case, each party shall return or "
            "destroy what it received, and shall confirm this in writing within fourteen days."
        ),
    ),
    (
        "6. No licence",
        (
            "Nothing in this Agreement grants a right in any patent, design, mark or copyright. "
            "Nothing obliges either party to conclude a further agreement."
        ),
    ),
    (
        "7. Remedies",
        (
            "The parties agree that money alone may not make good a breach, and that a court may "
            "order that it cease."
        ),
    ),
    (
        "8. Governing law",
        "This Agreement is governed by the laws of the Republic of Ireland.",
    ),
)


def _secrets() -> bytes:
    clauses = [
        block
        for title, clause in _SECRETS
        for block in (pdf.heading(title, 12), pdf.words(clause, 12))
    ]
    return pdf.pages(
        [
            pdf.heading("Mutual Non-Disclosure Agreement", 14),
            pdf.words("Dated 28 May 2026"),
            pdf.words("between\nReedboard Manufacturing DAC\n4 Fen Road, Ballymore, Ireland"),
            pdf.words("and\nKarlsholm Byggmaterial AB\nHamngatan 3, 999 21 Karlsholm, Sweden"),
            *clauses,
            pdf.words("Signed by the parties:\n\n____________________\n\n____________________"),
        ],
        columns=(81, 81),
        footer="Mutual Non-Disclosure Agreement, page {page}",
    )


def samples() -> list[Sample]:
    """The English contracts."""
    return [
        Sample(
            "contract-services.docx",
            "contract",
            "values within running sentences",
            _services,
            {
                "title": text("Web Maintenance Agreement"),
                "contract_number": text("SA-2026-14"),
                "contract_date": date("1 April 2026", "2026-04-01"),
                "first_party": text("Alder Works Ltd"),
                "second_party": text("Finch & Wren Studio LLP"),
                "effective_date": date("15 April 2026", "2026-04-15"),
                "end_date": date("14 April 2027", "2027-04-14"),
                "term": text("twelve months"),
                "notice_period": text("three months"),
                "value": _POUNDS.amount("£1,850.00"),
                "governing_law": text("England and Wales"),
            },
        ),
        Sample(
            "nda-two-columns.pdf",
            "contract",
            "two columns of small print",
            _secrets,
            {
                "title": text("Mutual Non-Disclosure Agreement"),
                "contract_date": date("28 May 2026", "2026-05-28"),
                "first_party": text("Reedboard Manufacturing DAC"),
                "second_party": text("Karlsholm Byggmaterial AB"),
                "effective_date": date("2 June 2026", "2026-06-02"),
                "end_date": date("1 June 2029", "2029-06-01"),
                "notice_period": text("sixty days"),
                "governing_law": text("Republic of Ireland"),
            },
        ),
    ]
