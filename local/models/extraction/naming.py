"""Parties, persons and addresses: by a label, by a block of lines, by the letterhead. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from local.models.extraction import places
from local.models.extraction.blocks import Block, aligned, read_lone_address
from local.models.extraction.clauses import read_contracting
from local.models.extraction.fields import Field
from local.models.extraction.labels import Hit, below
from local.models.extraction.letterhead import read_block
from local.models.extraction.reading import Document, Reading, value_cell
from local.models.extraction.sheet import Cell, Line, fold

_OTHER_SIDE = re.compile(
    r"customer|client|buyer|recipient|bill to|receiv|addressed to|payer|second|tenant|"
    r"account.?holder|"
    r"belongs to|made for|prepared for|guest",
    re.IGNORECASE,
)
_ISSUER = re.compile(
    r"company|supplier|seller|vendor|issu|merchant|shop|store|sender|bank|organi[sz]ation|employer|"
    r"landlord|wrote",
    re.IGNORECASE,
)
_NAME_WORD = (
    r"(?:[A-ZÀ-Ý][a-zà-ÿ]+(?:['-][A-ZÀ-Ý]?[a-zà-ÿ]+)*|[A-ZÀ-Ý]{2,}|[A-ZÀ-Ý]\.|"
    r"van|von|de|del|der|di|da|bin|binti|le|la|zu|al)"
)
_PERSON = re.compile(
    rf"(?:(?:Mr|Mrs|Ms|Miss|Dr|Prof|Herrn?|Frau|M|Mme|Mlle|Monsieur|Madame)\.?\s+)*"
    rf"{_NAME_WORD}(?:[ -]{_NAME_WORD}){{1,4}}"
)
_SURNAME_FIRST = re.compile(rf"{_NAME_WORD}, {_NAME_WORD}(?: {_NAME_WORD})?")
_MAIL = re.compile(r"\s*<[^>]*@[^>]*>")
_SMUDGES = re.compile(
    r"(?<=[A-Za-z])\d(?=[A-Za-z]{2})|(?<=[a-z]{2})\d|(?<=\d)[OolI](?=\d)|(?<=\d)[OoI](?=[A-Z]{2})|"
    r"\d[.:] ?\d{2}|[|_~^{}<>\\]|(?<=[a-z])[A-Z](?=[A-Z])"
)
_MOST_SIGNS = 3
_BLOCK_LINES = 6
_MOST_WORDS = 10
_FEW_LETTERS = 4
_LABELLED = 0.6
_FIRST_LINES = 4
_SURE_ADDRESS = 0.8
_ALONE = 0.8


@dataclass(frozen=True, slots=True)
class Party:
    """A party found under or beside a label: its name, the lines below the name, how sure."""

    name: str
    lines: Sequence[Line]
    score: float
    line: int


def other_side(wanted: Field) -> bool:
    """Whether a field asks for the party that a document is addressed to, not its issuer."""
    name = wanted.name.replace("_", " ")
    if _OTHER_SIDE.search(name):
        return True
    if _ISSUER.search(name) or _ISSUER.search(wanted.description):
        return False
    return bool(_OTHER_SIDE.search(wanted.description))


def _doubted(reading: Reading | None) -> Reading | None:
    """A reading with 0.08 less for each sign of misreading in it, three at most.

    They are digits among the letters of a word, a small initial among capitals, a colon or a
    point where numbers are parted, and signs that no name or address has.
    """
    if reading is None:
        return None
    text = reading.value
    small = text[:1].islower() and any(c.isupper() for c in text)
    signs = min(len(_SMUDGES.findall(text)) + small, _MOST_SIGNS)
    return Reading(text, max(0.05, reading.score - 0.08 * signs), reading.line)


def read_party(document: Document, wanted: Field) -> Reading | None:
    """A company or person: by its label, by its place among the blocks, else the letterhead."""
    return _doubted(_party(document, wanted))


def _party(document: Document, wanted: Field) -> Reading | None:
    contracting = read_contracting(document.sheet, wanted)
    if contracting:
        return Reading(*contracting)
    labelled = _labelled(document, wanted)
    head = document.letterhead
    sure = not other_side(wanted) and bool(head.name) and places.legal_form(head.name)
    if labelled and not sure:
        return Reading(labelled.name, labelled.score, labelled.line)
    block = _own_block(document, wanted)
    if block:
        return Reading(block.name, block.score, block.line)
    if other_side(wanted) or not head.name or (places.title_word(head.name) and not sure):
        return None
    return Reading(head.name, head.name_score)


def _own_block(document: Document, wanted: Field) -> Block | None:
    """The party's block in the head of a document that has two sides: the issuer's comes first.

    Where there is one block it is the party addressed, unless it is the letterhead itself.
    """
    blocks = [b for b in document.blocks if b.score > _LABELLED]
    if not _two_sided(document) or not blocks:
        return None
    if len(blocks) > 1:
        return blocks[1 if other_side(wanted) else 0]
    own = fold(blocks[0].name) == fold(document.letterhead.name)
    return blocks[0] if own != other_side(wanted) else None


def _two_sided(document: Document) -> bool:
    """Whether the fields ask for an issuer and a party addressed, as of letters and invoices."""
    sides = {other_side(f) for f in document.fields if f.kind in ("party", "address")}
    return len(sides) > 1


def _labelled(document: Document, wanted: Field) -> Party | None:
    """The best party that a label of the field introduces."""
    found = [p for h in document.hits.get(wanted.name, ()) if (p := _party_at(document, h))]
    best = max(found, key=lambda p: p.score, default=None)
    return best if best and best.score > _LABELLED else None


def _party_at(document: Document, hit: Hit) -> Party | None:
    """The party beside or under a label, with the lines that stand under its name."""
    line, cell = hit.line, value_cell(hit, *document.zone(hit))
    factor = 0.9 if hit.closed else 0.55
    if cell is None:
        under = below(document.sheet, hit, 1)
        if not hit.whole or not under:
            return None
        (line, cell), factor = under[0], 0.85
    name = _MAIL.sub("", " ".join(cell.text.split())).strip(' "')
    if not _nameable(name):
        return None
    return Party(name, lines_under(document, line, cell), hit.certainty * factor, line.number)


def lines_under(document: Document, line: Line, cell: Cell) -> list[Line]:
    """The lines that stand under a cell without a gap, cut to its column, up to the next label."""
    lines: list[Line] = []
    for following in document.sheet.after(line, _BLOCK_LINES):
        under = next((c for c in following.cells if aligned(c, cell)), None)
        if under is None or following.gap:
            break
        introduced = any(
            h.start == under.start and h.certainty > _LABELLED and h.closed and not h.whole
            for h in document.hits_by_line.get(following.number, ())
        )
        if introduced:
            break
        lines.append(Line(following.number, following.page, under.text, following.gap))
    return lines


def _nameable(text: str) -> bool:
    """Whether a text can be a name: letters mostly, no heading, not too long."""
    letters = sum(c.isalpha() for c in text)
    short = len(text.split()) <= _MOST_WORDS
    return (
        letters >= _FEW_LETTERS and letters * 2 > len(text) and short and not places.heading(text)
    )


def read_person(document: Document, wanted: Field) -> Reading | None:
    """A person's name: after or under its label, else the first lines' one that is a name."""
    hits = document.hits.get(wanted.name, ())
    found = [p for h in hits if (p := _party_at(document, h) or _line_after(document, h))]
    for party in sorted(found, key=lambda p: -p.score):
        match = _SURNAME_FIRST.fullmatch(party.name) or _PERSON.search(party.name)
        if match:
            return Reading(match[0], party.score, party.line)
    if wanted.named("name"):
        for line in document.sheet.lines[:_FIRST_LINES]:
            if _PERSON.fullmatch(line.words) and not places.heading(line.words):
                return Reading(line.words, 0.75, line.number)
    return None


def _line_after(document: Document, hit: Hit) -> Party | None:
    """The party on the line after a label that ends a sentence, as closings of letters do."""
    following = next(document.sheet.after(hit.line, 1), None)
    if following is None or hit.line.text[hit.end :].strip(" .,"):
        return None
    return Party(following.cells[0].text, (), hit.certainty * 0.8, following.number)


def read_address(document: Document, wanted: Field) -> Reading | None:
    """An address: under its party's label, beside its own, among the blocks, in the letterhead."""
    return _doubted(_address(document, wanted))


def _address(document: Document, wanted: Field) -> Reading | None:
    own = _address_beside(document, wanted)
    party = _paired(document, wanted)
    labelled = _labelled(document, party) if party else None
    if labelled:
        value, score = read_block(labelled.lines)
        if value and (own is None or score * labelled.score > own.score):
            return Reading(value, score * labelled.score, labelled.line)
        if own or other_side(wanted):
            return own
    return _unlabelled_address(document, wanted, own)


def _unlabelled_address(document: Document, wanted: Field, own: Reading | None) -> Reading | None:
    """The address of a party without a label; `own` is what a label of the address introduced."""
    head = document.letterhead
    if own and (own.line < head.line or head.address_score < _SURE_ADDRESS or other_side(wanted)):
        return own
    block = _own_block(document, wanted)
    if block:
        return Reading(block.address, block.score, block.line)
    if other_side(wanted):
        return None
    if head.address_score < _SURE_ADDRESS:
        value, score = read_lone_address(document.sheet)
        if score >= _SURE_ADDRESS:
            return Reading(value, score * _ALONE)
    if not head.address:
        return None
    return Reading(head.address, head.address_score * (0.7 + 0.3 * head.name_score))


def _paired(document: Document, wanted: Field) -> Field | None:
    """The party whose address a field asks for: the one whose name begins the field's name."""
    parties = [f for f in document.fields if f.kind in ("party", "person")]
    named = [f for f in parties if wanted.name.startswith(f"{f.name}_")]
    return named[0] if named else None


def _address_beside(document: Document, wanted: Field) -> Reading | None:
    """The address that stands beside or under one of the field's own labels."""
    best: Reading | None = None
    for hit in document.hits.get(wanted.name, ()):
        if not hit.closed:
            continue
        line, cell = hit.line, value_cell(hit, *document.zone(hit))
        if cell is None:
            under = below(document.sheet, hit, 1)
            if not under:
                continue
            line, cell = under[0]
        first = Line(line.number, line.page, cell.text, gap=False)
        value, score = read_block([first, *lines_under(document, line, cell)])
        if value and (best is None or score * hit.certainty > best.score):
            best = Reading(value, score * hit.certainty, line.number)
    return best
