"""Fields are read by kind, labels and place, whatever document they are printed on."""

from collections.abc import Mapping
from typing import Any

import pytest

from local.models.extraction import extract


def schema(**fields: tuple[str, tuple[str, ...]]) -> dict[str, Any]:
    """A schema of leaves, each given as its kind and labels."""
    return {
        "type": "object",
        "properties": {
            name: {"type": "string", "x-kind": kind, "x-labels": list(labels)}
            for name, (kind, labels) in fields.items()
        },
    }


def read(text: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The values that are extracted from a text."""
    return extract(text, fields).values


NUMBERED = schema(number=("identifier", ("invoice no", "rechnung nr", "facture n°")))
DATED = schema(
    date=("date", ("date", "datum", "le")),
    due_date=("date", ("due date", "fällig am", "échéance")),
)
MONEY = schema(
    subtotal=("amount", ("subtotal", "zwischensumme", "total ht")),
    tax_rate=("percentage", ("vat", "mwst", "tva")),
    tax=("amount", ("vat", "mwst", "tva")),
    total=("amount", ("total", "gesamtbetrag", "total ttc")),
)
PARTIES = schema(
    supplier=("party", ("supplier", "from")),
    supplier_address=("address", ("supplier address",)),
    customer=("party", ("bill to", "customer", "kunde")),
    customer_address=("address", ("customer address",)),
)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("Invoice No: BW-2041", "BW-2041"),
        ("InvoiceNo:TD01167104", "TD01167104"),
        ("INVOICE NO   CS 67832", "CS 67832"),
        ("Rechnung Nr. RE-2026-0318", "RE-2026-0318"),
        ("Facture n° F-2026-047", "F-2026-047"),
        ("Invoice no        Date\nKX-88120          3 March 2026", "KX-88120"),
        ("lnvoice N0: 4711", "4711"),
        ("nothing here", None),
    ],
)
def test_a_number_stands_beside_or_under_its_label(text: str, number: str | None) -> None:
    """Labels are recognised glued, misread and in three languages."""
    assert read(text, NUMBERED)["number"] == number


def test_dates_go_to_their_labels() -> None:
    """The document's own date is not the one that is due."""
    text = "Date: 3 March 2026\nDue date: 2 April 2026"
    assert read(text, DATED) == {"date": "3 March 2026", "due_date": "2 April 2026"}


def test_labels_above_their_values() -> None:
    """A row of labels over a row of values is read by columns."""
    text = "Date:                 Due date:\n03/20/2023            04/04/2023"
    assert read(text, DATED) == {"date": "03/20/2023", "due_date": "04/04/2023"}


def test_a_date_without_label_is_the_documents_own() -> None:
    """A place and a date, as letters have them, are enough."""
    text = "Bellerive, le 18 février 2026\nIl a six jours.\nFällig am 1. Mai 2026"
    assert read(text, DATED) == {"date": "18 février 2026", "due_date": "1. Mai 2026"}


def test_a_labelled_date_is_surer_than_one_of_many() -> None:
    """Several dates that disagree leave doubt."""
    sure = extract("Date: 3 March 2026", DATED).scores["date"]
    doubt = extract("3 March 2026\n4 March 2026\n5 March 2026", DATED).scores["date"]
    assert sure > doubt


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (
            "Subtotal 675.00\nVAT 20 %   135.00\nTotal due £810.00",
            {"subtotal": "675.00", "tax_rate": "20 %", "tax": "135.00", "total": "£810.00"},
        ),
        (
            "Zwischensumme 5.870,12 €\nzzgl. 19 % MwSt. 1.115,32 €\nRechnungsbetrag 6.985,44 €",
            {
                "subtotal": "5.870,12 €",
                "tax_rate": "19 %",
                "tax": "1.115,32 €",
                "total": "6.985,44 €",
            },
        ),
        (
            "Total HT 1 906,56 €\nTVA 20 % 381,31 €\nTotal TTC 2 287,87 €",
            {
                "subtotal": "1 906,56 €",
                "tax_rate": "20 %",
                "tax": "381,31 €",
                "total": "2 287,87 €",
            },
        ),
        (
            "Work 1,010.00\n   1,010.00\n20 %   202.00\n   £1,212.00",
            {"subtotal": "1,010.00", "tax_rate": "20 %", "tax": "202.00", "total": "£1,212.00"},
        ),
    ],
)
def test_amounts_of_an_invoice(text: str, values: dict[str, str]) -> None:
    """Part, tax and total are told apart by labels, or by arithmetic without any."""
    assert read(text, MONEY) == values


def test_sums_that_fit_are_surer() -> None:
    """A part and a tax that add up to the total score above ones that do not."""
    fit = extract("Subtotal 675.00\nVAT 135.00\nTotal 810.00", MONEY).scores
    unfit = extract("Subtotal 675.00\nVAT 135.00\nTotal 900.00", MONEY).scores
    assert fit["subtotal"] > unfit["subtotal"]
    assert fit["total"] > unfit["total"]


LETTERHEAD = "Brightwater Supplies Ltd\n14 Quayside Road\nWhitby YO99 3PU\n\n"


@pytest.mark.parametrize(
    "body",
    [
        "Bill to:\nHarbour Foods Ltd\n3 Lantern Street\nScarborough YO99 1AB",
        "Bill to  Harbour Foods Ltd\n         3 Lantern Street\n         Scarborough YO99 1AB",
        "Harbour Foods Ltd\n3 Lantern Street\nScarborough YO99 1AB\n\nDear Sirs,",
        "Bill to:           No 1\nHarbour Foods Ltd  Day 2\n3 Lantern Street\nScarborough YO99 1AB",
    ],
)
def test_two_parties_are_told_apart(body: str) -> None:
    """The issuer heads the page, the other stands under or beside its label or below."""
    assert read(LETTERHEAD + body, PARTIES) == {
        "supplier": "Brightwater Supplies Ltd",
        "supplier_address": "14 Quayside Road Whitby YO99 3PU",
        "customer": "Harbour Foods Ltd",
        "customer_address": "3 Lantern Street Scarborough YO99 1AB",
    }


def test_a_senders_line_above_the_window() -> None:
    """A name, a street and a town on one line are the issuer; a form of address is no name."""
    text = (
        "Muster Service e.K. · Gartenweg 12 · 50667 Köln\n\n"
        "Firma\nBeispiel AG\nIndustriestraße 44\n70565 Stuttgart\n\nRechnung"
    )
    assert read(text, PARTIES) == {
        "supplier": "Muster Service e.K.",
        "supplier_address": "Gartenweg 12 · 50667 Köln",
        "customer": "Beispiel AG",
        "customer_address": "Industriestraße 44 70565 Stuttgart",
    }


def test_labels_side_by_side_are_not_each_others_values() -> None:
    """What stands beside a label and ends in a colon is a label too."""
    text = "Bill to:          Ship to:\nJane Roe          Site 4\n22 Elm Avenue     9 Oak Road"
    assert read(text, PARTIES)["customer"] == "Jane Roe"


def test_the_parties_of_a_contract() -> None:
    """A sentence `between .. and ..` names both, in three languages."""
    fields = schema(
        first=("party", ("between", "zwischen", "entre")), second=("party", ("and", "und", "et"))
    )
    english = "made between Alder Works Ltd, 5 Row (the Client) and Finch & Wren LLP, 60 Street."
    german = "Zwischen\nWohnbau eG, Allee 1\nals Vermieter\nund\nJorun Feldkamp, Weg 9\nals Mieter"
    french = "Entre les soussignés :\n\nCoop du Val, 3 rue A,\n\net\n\nImprimerie B, 11 rue C,"
    assert read(english, fields) == {"first": "Alder Works Ltd", "second": "Finch & Wren LLP"}
    assert read(german, fields) == {"first": "Wohnbau eG", "second": "Jorun Feldkamp"}
    assert read(french, fields) == {"first": "Coop du Val", "second": "Imprimerie B"}


@pytest.mark.parametrize(
    ("text", "law"),
    [
        ("This Agreement is governed by the laws of England and Wales.", "England and Wales"),
        ("Es gilt deutsches Recht.", "deutsches Recht"),
        ("Le contrat est soumis au droit français.", "droit français"),
        ("governed by the laws of the Republic\nof Ireland.", "Republic of Ireland"),
    ],
)
def test_the_law_of_a_contract(text: str, law: str) -> None:
    """The law is what the sentence names, also across a line."""
    assert read(text, schema(governing_law=("text", ("governing law",)))) == {"governing_law": law}


def test_two_columns_of_running_text_are_read_one_after_the_other() -> None:
    """A sentence goes on below itself, not beside."""
    left = [
        "This Agreement takes effect on the first",
        "of May and is made between Alder Works Ltd,",
    ]
    right = [
        "This Agreement is governed by the laws of",
        "the Republic of Ireland. The courts decide.",
    ]
    filler = ["the parties wish to explore a production"] * 8
    pairs = zip(left + filler, right + filler, strict=True)
    text = "\n".join(f"{one:<48}{other}" for one, other in pairs)
    fields = schema(governing_law=("text", ("governing law",)))
    assert read(text, fields) == {"governing_law": "Republic of Ireland"}


def test_values_whose_shape_tells_them_need_no_label() -> None:
    """Addresses of mail and web, telephones and accounts are found anywhere."""
    fields = schema(
        email=("email", ()), phone=("phone", ()), website=("url", ()), iban=("iban", ())
    )
    text = "a.b@example.org | +44 1632 960 377 | https://example.org/x\nGB82 WEST 1234 5698 7654 32"
    assert read(text, fields) == {
        "email": "a.b@example.org",
        "phone": "+44 1632 960 377",
        "website": "https://example.org/x",
        "iban": "GB82 WEST 1234 5698 7654 32",
    }


def test_a_letter() -> None:
    """Sender, recipient, subject and signatory are found by their places."""
    fields = schema(
        sender=("party", ("from", "von")),
        recipient=("party", ("to", "an")),
        subject=("text", ("subject", "betreff")),
        signatory=("person", ("yours sincerely", "mit freundlichen grüßen")),
    )
    text = (
        "Mirja Sternhagen\nBirkenweg 33\n04997 Waldheimstadt\n\n"
        "Stadtwerke Waldheim GmbH\nKundenbetreuung\nPostfach 12 00\n04995 Waldheimstadt\n\n"
        "Betreff: Kündigung meines Vertrages\n\nSehr geehrte Damen und Herren,\n\n"
        "ich kündige.\n\nMit freundlichen Grüßen\n\nMirja Sternhagen"
    )
    assert read(text, fields) == {
        "sender": "Mirja Sternhagen",
        "recipient": "Stadtwerke Waldheim GmbH",
        "subject": "Kündigung meines Vertrages",
        "signatory": "Mirja Sternhagen",
    }


def test_a_subject_without_label_stands_by_the_salutation() -> None:
    """A short line that ends like no sentence is the subject."""
    text = "Dear Ms Lindgren\nYour appointment at the clinic\nThank you for your letter of May."
    fields = schema(subject=("text", ("subject",)))
    assert read(text, fields) == {"subject": "Your appointment at the clinic"}


def test_titles_are_no_names() -> None:
    """A title is the first line with such a word, not the organisation above it."""
    text = "Plumbline Surveyors Ltd\n\nSite inspection report: Corn Exchange roof\n\nReport no 7"
    fields = schema(title=("text", ("title",)), number=("identifier", ("report no",)))
    assert read(text, fields) == {
        "title": "Site inspection report: Corn Exchange roof",
        "number": "7",
    }


def test_types_that_nobody_thought_of() -> None:
    """Any schema is read by its kinds and labels, unknown kinds as text."""
    fields = schema(
        vessel=("text", ("vessel",)),
        imo_number=("identifier", ("imo",)),
        departure=("date", ("etd", "departure")),
        cargo=("freight", ("cargo",)),
    )
    text = "Vessel: MV Northern Light    IMO: 9074729\nETD  14 Oct 2026\nCargo: 400 t of salt"
    assert read(text, fields) == {
        "vessel": "MV Northern Light",
        "imo_number": "9074729",
        "departure": "14 Oct 2026",
        "cargo": "400 t of salt",
    }


def test_objects_in_objects_are_read_too() -> None:
    """A nested object is read like the whole."""
    inner = schema(total=("amount", ("total",)))
    found = extract("Total 12.50", {"properties": {"payment": inner}})
    assert found.values == {"payment": {"total": "12.50"}}


def test_a_field_that_is_not_printed_is_null_with_a_middling_score() -> None:
    """Absence is not certain."""
    found = extract("", NUMBERED)
    assert found.values == {"number": None}
    assert 0 < found.scores["number"] < 1
