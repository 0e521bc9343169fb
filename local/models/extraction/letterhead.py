"""The name and address that head a document without a label: a shop's, a supplier's, a sender's.

Evidence: legal forms, words of trade, addresses and registration numbers under the name. Pure.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from local.models.extraction import places
from local.models.extraction.sheet import Line, Sheet

_HEAD_LINES = 14
"""Lines from the top that may hold the letterhead; on the receipts tuned on it is never lower."""

_ADDRESS_LINES = 7
_MOST_WORDS = 10
_NAME_LINES = 3
_FEW_LETTERS = 4


@dataclass(frozen=True, slots=True)
class Letterhead:
    """What heads a document: a name and an address, each with how sure it is; empty if absent."""

    name: str = ""
    name_score: float = 0.0
    address: str = ""
    address_score: float = 0.0


def _letters(text: str) -> int:
    return sum(c.isalpha() for c in text)


def _weigh_name(line: Line, text: str, place: int, following: Sequence[Line]) -> float:
    """How much a line speaks for being the name: legal form 5, trade word 2, position, what follows."""
    text = _strip_registration(text)
    letters, digits = _letters(text), sum(c.isdigit() for c in text)
    weight = -0.25 * place
    if places.legal_form(text):
        weight += 5.0
    if places.trade_word(text):
        weight += 2.0
    if letters < _FEW_LETTERS:
        weight -= 3.0
    if digits * 3 > letters:
        weight -= 3.0
    if places.stops(text) or places.heading(text):
        weight -= 6.0
    if places.numbered(text) or (places.street_word(text) and not places.legal_form(text)):
        weight -= 2.5
    if len(text.split()) > _MOST_WORDS:
        weight -= 2.0
    if sum(ord(c) > 0x2E80 for c in text) * 2 > len(text):
        weight -= 4.0
    if text.islower():
        weight -= 0.6
    next_line = following[0].words if following else ""
    if next_line and (places.registration(next_line) == 0 or places.numbered(next_line)):
        weight += 1.0
    if line.gap and place:
        weight += 0.2
    return weight


def _strip_registration(text: str) -> str:
    cut = places.registration(text)
    return text[:cut].strip(" ,-(") if cut > _FEW_LETTERS else text


def _joined(head: Sequence[Line], at: int) -> tuple[str, int]:
    """The name around line `at` with the lines that continue or begin it, and its last line."""
    first = last = at
    while first and at - first < _NAME_LINES - 1 and _continues(head, first):
        first -= 1
    while last + 1 < len(head) and last - first < _NAME_LINES - 1 and _continues(head, last + 1):
        last += 1
    texts = [places.tidy(line) for line in head[first : last + 1]]
    texts[-1] = _strip_registration(texts[-1])
    return " ".join(texts), last


_ONLY_LEGAL = re.compile(
    r"\W*(?:\([A-Z. ]+\)\s?)?(?:S[DO0]N\W*B[HN]D|BHD|BERHAD|ENTERPRISE|GmbH(?: & Co\. KG)?|Ltd|Limited)\W*(?:\(.*\))?\W*",
    re.IGNORECASE,
)


def _continues(head: Sequence[Line], at: int) -> bool:
    """Whether a name goes on in line `at`: the one before ends in `&` or an open bracket, or this
    one is a mere legal form, a bracketed branch with a legal form, or closes a bracket.
    """
    text, following = _strip_registration(places.tidy(head[at - 1])), places.tidy(head[at])
    if any(places.numbered(t) or places.stops(t) or places.heading(t) for t in (text, following)):
        return False
    if text.endswith(("&", " AND", " and", " und", " et")) or text.count("(") > text.count(")"):
        return True
    if places.legal_form(text) or _letters(text) < _FEW_LETTERS:
        return False
    following = _strip_registration(following)
    if (
        places.suffix_word(following)
        or _ONLY_LEGAL.fullmatch(following)
        or following.count(")") > following.count("(")
    ):
        return True
    return following.startswith("(") and places.legal_form(following)


def _head(sheet: Sheet) -> list[Line]:
    """The lines that may hold the letterhead: up to the telephone or heading under an address."""
    head: list[Line] = []
    addressed = False
    for line in sheet.lines[:_HEAD_LINES]:
        if line.page or (addressed and places.stops(line.words)):
            break
        addressed = addressed or places.postcode(line.words) or places.numbered(line.words)
        head.append(line)
    return head


def read_letterhead(sheet: Sheet) -> Letterhead:
    """The name and address at the top of the first page; empty parts where there are none.

    Scores of the name: 0.9 with a legal form, 0.75 with a word of trade, 0.6 otherwise; of the
    address: 0.85 with a post code and a street word, 0.6 with one of them. On the receipts they
    rank right above wrong; a later calibration gives them their meaning.
    """
    head = _head(sheet)
    if not head:
        return Letterhead()
    weights = [
        _weigh_name(line, places.tidy(line), i, head[i + 1 : i + 3]) for i, line in enumerate(head)
    ]
    best = max(range(len(head)), key=lambda i: weights[i])
    name, last = _joined(head, best)
    legal, trade = places.legal_form(name), places.trade_word(name)
    score = 0.9 if legal else 0.75 if trade else 0.6
    if weights[best] < 0:
        score = 0.25
    elif sorted(weights)[-2:-1] and weights[best] - sorted(weights)[-2] < 1.0:
        score -= 0.15
    address, address_score = read_block(sheet.lines[last + 1 : last + 1 + _HEAD_LINES])
    return Letterhead(name, score, address, address_score)


def read_block(lines: Sequence[Line]) -> tuple[str, float]:
    """The address in the lines below a name, its lines joined, and how sure it is.

    It begins at the first line with a house or lot number (or a street word) and ends before a
    telephone, registration or heading, or after a post code unless the next line is a region.
    """
    texts = [places.tidy(line) for line in lines]
    start = _address_start(texts)
    if start is None:
        return "", 0.0
    taken: list[str] = []
    for offset, text in enumerate(texts[start : start + _ADDRESS_LINES]):
        line = lines[start + offset]
        if offset and _ends_address(text, line, taken):
            break
        taken.append(text)
    joined = " ".join(taken)
    coded, street = places.postcode(joined), places.street_word(joined)
    return joined, 0.85 if coded and street else 0.6 if coded or street else 0.3


def _address_start(texts: Sequence[str]) -> int | None:
    """The place of the address's first line: numbered and not a registration, else a street word."""
    for index, text in enumerate(texts):
        if places.registration(text) == 0 or (_registers(text) and not places.street_word(text)):
            continue
        if places.stops(text):
            if index > 2:
                return None
            continue
        if places.numbered(text):
            return index
        if places.street_word(text) or places.postcode(text):
            after = texts[index + 1] if index + 1 < len(texts) else ""
            better = (
                places.numbered(after)
                and not places.postcode(text)
                and not any(c.isdigit() for c in text)
                and places.street_word(after)
                and not re.match(r"\W*\d{5}", after)
            )
            return index + 1 if better else index
    return None


def _registers(text: str) -> bool:
    return bool(re.match(r"\W*(?:CO|COMPANY|REG|ROC|SSM|GST|BUSINESS)\b", text, re.IGNORECASE))


def _ends_address(text: str, line: Line, taken: Sequence[str]) -> bool:
    """Whether the address is over before this line."""
    if (
        places.stops(text)
        or places.heading(text)
        or _registers(text)
        or places.registration(text) == 0
    ):
        return True
    coded = places.postcode(" ".join(taken))
    if not coded:
        return (
            line.gap and len(taken) > 1 and not (places.street_word(text) or places.postcode(text))
        )
    open_end = taken[-1].endswith((",", "-", "&"))
    return not (open_end or places.street_word(text)) or text.startswith("(")
