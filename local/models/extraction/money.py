"""Amount fields: the total by rank among all amounts, the others by their labels. Pure."""

import re
from decimal import Decimal

from local.models.extraction.amounts import to_number
from local.models.extraction.fields import Field
from local.models.extraction.reading import Document, Reading, agree, shaped
from local.models.extraction.sheet import blur, fold

_TOTAL_LABELS = frozenset(
    blur(fold(w))
    for w in (
        "total",
        "grand total",
        "total due",
        "amount due",
        "gesamtbetrag",
        "total ttc",
        "net a payer",
        "jumlah",
    )
)
_PROVED = 0.08


def is_total(wanted: Field) -> bool:
    """Whether an amount field asks for the whole to pay: labelled with the bare word total."""
    return not _TOTAL_LABELS.isdisjoint(wanted.keys)


def read_amount(document: Document, wanted: Field) -> Reading | None:
    """The amount of a field; a total's score rests on arithmetic, others' on labels and sums."""
    if is_total(wanted):
        return read_total(document)
    readings = shaped(document, wanted, last=True)
    if not readings:
        return None
    total = document.totals[0].number if document.totals else None
    return agree(
        sorted((_checked(document, wanted, r, total) for r in readings), key=lambda r: -r.score)
    )


def read_total(document: Document) -> Reading | None:
    """The best candidate for the total, as printed."""
    if not document.totals:
        return None
    best = document.totals[0]
    return Reading(best.line.text[best.start : best.end], best.score, best.line.number)


def _checked(document: Document, wanted: Field, reading: Reading, total: Decimal | None) -> Reading:
    """A reading made surer where it and another amount field's reading add up to the total."""
    number = to_number(reading.value)
    if total is None or number is None or number == total:
        return reading
    for other in document.fields:
        if other.kind != "amount" or other.name == wanted.name or is_total(other):
            continue
        for partner in shaped(document, other, last=True):
            part = to_number(partner.value)
            if part is not None and total in (number + part, part - number, number - part):
                return Reading(reading.value, min(0.98, reading.score + _PROVED), reading.line)
    return reading


CURRENCY_LETTERS = re.compile(r"^[A-Z]{2,3}\s")
