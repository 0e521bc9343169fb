"""Amount and percentage fields: the total by rank, the others by their labels. Pure."""

from collections.abc import Sequence
from decimal import Decimal

from local.models.extraction.amounts import find_percentages, to_number
from local.models.extraction.fields import Field
from local.models.extraction.reading import Document, Reading, agree
from local.models.extraction.sheet import Line
from local.models.extraction.words import listed

_TOTAL = frozenset(
    listed("total,grand total,total due,amount due,gesamtbetrag,total ttc,net a payer,jumlah")
)
_PART = frozenset(listed("subtotal,net,netto,net total,total ht,zwischensumme,sous-total"))
_TAX = frozenset(listed("tax,vat,gst,mwst,tva,ust"))
_PROVED = 0.08
_MOST = 20
"""Readings of a field that arithmetic looks at, so that its cost stays bounded."""

_UNLABELLED = 0.75
"""Score of a part sum or a tax found by arithmetic alone: three printed numbers fit each other."""


def _asks(wanted: Field, labels: frozenset[str]) -> bool:
    return not labels.isdisjoint(wanted.keys)


def read_amount(document: Document, wanted: Field) -> Reading | None:
    """The amount of a field; a total's score rests on arithmetic, others' on labels and sums."""
    if _asks(wanted, _TOTAL):
        return _total(document)
    readings = document.shaped(wanted)
    if not readings:
        return _by_arithmetic(document, wanted)
    total = document.totals[0].number if document.totals else None
    checked = [_checked(document, wanted, r, total) for r in readings[:_MOST]]
    return agree(sorted(checked, key=lambda r: -r.score))


def read_percentage(document: Document, wanted: Field) -> Reading | None:
    """A percentage by its label, or the rate that multiplies a part sum into a tax."""
    readings = document.shaped(wanted)
    if readings:
        return agree(readings)
    if not _asks(wanted, _TAX):
        return None
    found = document.tax
    return _printed(found.rate, _UNLABELLED) if found else _rate_of_tax(document)


def _rate_of_tax(document: Document) -> Reading | None:
    """The percentage on the row that a tax was read from."""
    for other in document.fields:
        if other.kind == "amount" and _asks(other, _TAX):
            for reading in document.shaped(other)[:1]:
                line = document.sheet.lines[reading.line]
                for start, end in find_percentages(line.text)[:1]:
                    return _printed((line, start, end), reading.score)
    return None


def _total(document: Document) -> Reading | None:
    """The best candidate for the total, as printed."""
    if not document.totals:
        return None
    best = document.totals[0]
    return Reading(best.line.text[best.start : best.end], best.score, best.line.number)


def _printed(place: tuple[Line, int, int], score: float) -> Reading:
    line, start, end = place
    return Reading(line.text[start:end].strip(), score, line.number)


def _by_arithmetic(document: Document, wanted: Field) -> Reading | None:
    """A part sum or a tax without a label, where part, rate, tax and total prove each other."""
    part, tax = _asks(wanted, _PART), _asks(wanted, _TAX)
    found = document.tax if part or tax else None
    if found is None:
        return None
    return _printed(found.part if part else found.tax, _UNLABELLED)


def _checked(document: Document, wanted: Field, reading: Reading, total: Decimal | None) -> Reading:
    """A reading made surer where it and another amount field's reading add up to the total."""
    number = to_number(reading.value)
    if total is None or number is None or number == total:
        return reading
    parts = [
        to_number(partner.value)
        for other in document.fields
        if other.kind == "amount" and other.name != wanted.name and not _asks(other, _TOTAL)
        for partner in document.shaped(other)[:_MOST]
    ]
    if _adds_up(number, [p for p in parts if p is not None], total):
        return Reading(reading.value, min(0.98, reading.score + _PROVED), reading.line)
    return reading


def _adds_up(number: Decimal, parts: Sequence[Decimal], total: Decimal) -> bool:
    return any(total in (number + part, part - number, number - part) for part in parts)
