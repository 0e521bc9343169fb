"""Parties, persons and addresses: by a label, by the letterhead, or by their place in a letter. Pure."""

import re

from local.models.extraction import places
from local.models.extraction.fields import Field, Hit
from local.models.extraction.letterhead import read_block
from local.models.extraction.reading import Document, Reading, under, worded

_OTHER_SIDE = re.compile(
    r"customer|client|buyer|recipient|bill to|receiv|addressed to|payer|second|tenant|account.?holder|prepared for|guest",
    re.IGNORECASE,
)
_ISSUER = re.compile(
    r"company|supplier|seller|vendor|issu|merchant|shop|store|sender|bank|organi[sz]ation|employer|landlord|wrote",
    re.IGNORECASE,
)
_NAME_WORD = r"(?:[A-ZÀ-Ý][a-zà-ÿ'’-]+|[A-ZÀ-Ý]{2,}|[A-ZÀ-Ý]\.|van|von|de|del|der|di|da|bin|binti|le|la|zu|al)"
_PERSON = re.compile(
    rf"(?:(?:Mr|Mrs|Ms|Miss|Dr|Prof|Herrn?|Frau|M|Mme|Mlle|Monsieur|Madame)\.?\s+)*{_NAME_WORD}(?:[ -]{_NAME_WORD}){{1,4}}"
)
_BLOCK = 6


def other_side(wanted: Field) -> bool:
    """Whether a field asks for the party that a document is addressed to, not its issuer."""
    name = wanted.name.replace("_", " ")
    if _OTHER_SIDE.search(name):
        return True
    return (
        not _ISSUER.search(name)
        and bool(_OTHER_SIDE.search(wanted.description))
        and not _ISSUER.search(wanted.description)
    )


def read_party(document: Document, wanted: Field) -> Reading | None:
    """A company or person: after or under its label, else the letterhead for the issuer."""
    labelled = [r for r in worded(document, wanted) if _nameable(r.value)]
    strong = [r for r in labelled if r.score > 0.6]
    if other_side(wanted):
        return strong[0] if strong else None
    head = document.letterhead
    if head.name and (not strong or head.name_score >= 0.75):
        return Reading(head.name, head.name_score)
    return strong[0] if strong else None


def _nameable(text: str) -> bool:
    """Whether a text can be a name: letters mostly, no heading, not too long."""
    letters = sum(c.isalpha() for c in text)
    return letters * 2 > len(text) and len(text.split()) <= 10 and not places.heading(text)


def read_person(document: Document, wanted: Field) -> Reading | None:
    """A person's name: after or under its label, else the first line that is one."""
    for reading in worded(document, wanted):
        match = _PERSON.search(reading.value)
        if match:
            return Reading(match[0], reading.score, reading.line)
    for line in document.sheet.lines[:4]:
        if wanted.named("name") and _PERSON.fullmatch(line.words):
            return Reading(line.words, 0.75, line.number)
    return None


def read_address(document: Document, wanted: Field) -> Reading | None:
    """An address: the block under its party's label, else the letterhead's for the issuer's."""
    if other_side(wanted):
        return _under_label(document, wanted)
    head = document.letterhead
    if head.address:
        return Reading(head.address, head.address_score * (0.7 + 0.3 * head.name_score))
    return _under_label(document, wanted)


def _under_label(document: Document, wanted: Field) -> Reading | None:
    best: Reading | None = None
    for hit in document.hits.get(wanted.name, ()):
        reading = _block(document, hit)
        if reading and (best is None or reading.score > best.score):
            best = reading
    return best


def _block(document: Document, hit: Hit) -> Reading | None:
    lines = under(document, hit, _BLOCK)
    value, score = read_block(lines)
    return Reading(value, score * hit.certainty, hit.line.number) if value else None
