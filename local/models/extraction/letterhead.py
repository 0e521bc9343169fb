"""The name and address that head a document without a label: a shop's, a supplier's, a sender's.

Evidence: legal forms, words of trade, addresses and registration numbers under the name. Pure.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from local.models.extraction import places
from local.models.extraction.sheet import Line, Sheet

_HEAD_LINES = 14
"""Lines from the top that may hold the letterhead; on the receipts tuned on it is never lower."""

_ADDRESS_LINES = 7
_MOST_WORDS = 10
_NAME_LINES = 3
_FEW_LETTERS = 4
_LEAD_LINES = 3
_SENDER_LINES = 6
_SENDER = re.compile(r"(?P<name>[^|\u00b7\u2022]{3,60}?) [|\u00b7\u2022] (?P<address>[^@:]{8,90})")
_IDEOGRAPHS = "\u2e80"
_LABEL = re.compile(r"[A-Z][A-Za-z ]{2,20} ?: +(?=[A-Z])")
_LABELLED = re.compile(r"\S[^:]{1,25}:\s")


@dataclass(frozen=True, slots=True)
class Letterhead:
    """What heads a document: a name and an address, each with how sure it is; empty if absent.

    `line` is the number of the address's first line, -1 without one.
    """

    name: str = ""
    name_score: float = 0.0
    address: str = ""
    address_score: float = 0.0
    line: int = -1


def _letters(text: str) -> int:
    return sum(c.isalpha() for c in text)


def _weigh_words(text: str) -> float:
    """How much a line's words speak for a name: legal form 5, trade word 2; against: headings."""
    weight = 5.0 if places.legal_form(text) else 0.0
    weight += 2.0 if places.trade_word(text) else 0.0
    if places.stops(text) or places.heading(text):
        weight -= 6.0
    if places.numbered(text) or (places.street_word(text) and not places.legal_form(text)):
        weight -= 2.5
    return weight - (2.0 if len(text.split()) > _MOST_WORDS else 0.0)


def _weigh_letters(text: str) -> float:
    """How much a line's letters speak against a name: few, many digits, ideographs, no capitals."""
    letters, digits = _letters(text), sum(c.isdigit() for c in text)
    weight = -3.0 if letters < _FEW_LETTERS else 0.0
    weight -= 3.0 if digits * 3 > letters else 0.0
    weight -= 4.0 if sum(c >= _IDEOGRAPHS for c in text) * 2 > len(text) else 0.0
    weight -= 4.0 if _LABELLED.match(text) else 0.0
    weight -= 2.0 if text.startswith("(") else 0.0
    return weight - (0.6 if text.islower() else 0.0)


def _weigh_name(head: Sequence[Line], at: int) -> float:
    """How much a line speaks for being the name, from its words, its letters and its place."""
    text = _strip_registration(places.tidy(head[at]))
    weight = _weigh_words(text) + _weigh_letters(text) - 0.25 * at
    following = head[at + 1].words if at + 1 < len(head) else ""
    if following and (places.registration(following) == 0 or places.numbered(following)):
        weight += 1.0
    return weight + (0.2 if head[at].gap and at else 0.0)


_AFTER_LEGAL = re.compile(
    r"((?<![A-Za-z])(?:GmbH|Ltd|Inc|LLC|LLP|plc|SAS|SARL|AG|KG|SA|eG)\.?),\s.*"
)


def _strip_registration(text: str) -> str:
    cut = places.registration(text)
    return text[:cut].rstrip(" ,-(") if cut > _FEW_LETTERS else text


def _name_text(line: Line) -> str:
    """A line's words, without a label before them and without numbers or columns to the right."""
    first, *others = line.cells
    if len(others) > 1 or any(c.isdigit() for other in others for c in other.text):
        return " ".join(first.text.split())
    return _LABEL.sub("", places.tidy(line))


def _joined(head: Sequence[Line], at: int) -> tuple[str, int]:
    """The name around line `at` with the lines that continue or begin it, and its last line."""
    first = last = at
    while first and at - first < _NAME_LINES - 1 and _continues(head, first):
        first -= 1
    while last + 1 < len(head) and last - first < _NAME_LINES - 1 and _continues(head, last + 1):
        last += 1
    texts = [_name_text(line) for line in head[first : last + 1]]
    texts[-1] = _strip_registration(texts[-1])
    return _AFTER_LEGAL.sub(r"\1", " ".join(texts)), last


_ONLY_LEGAL = re.compile(
    r"\W*(?:\([A-Z. ]+\)\s?)?(?:S[DO0]N\W*B[HN]D|BHD|BERHAD|ENTERPRISE|GmbH(?: & Co\. KG)?|Ltd|"
    r"Limited)"
    r"\W*(?:\(.*\))?\W*",
    re.IGNORECASE,
)
_OPEN_ENDS = ("&", " AND", " and", " und", " et")


def _continues(head: Sequence[Line], at: int) -> bool:
    """Whether a name goes on in line `at` from the line above.

    It does if that ends in `&` or an open bracket, or if this is a mere legal form, a bracketed
    branch with one, or closes a bracket.
    """
    text = _strip_registration(places.tidy(head[at - 1]))
    following = _strip_registration(places.tidy(head[at]))
    if any(places.numbered(t) or places.stops(t) or places.heading(t) for t in (text, following)):
        return False
    if text.endswith(_OPEN_ENDS) or text.count("(") > text.count(")"):
        return True
    if places.legal_form(text) or _letters(text) < _FEW_LETTERS:
        return False
    if places.suffix_word(following) or _ONLY_LEGAL.fullmatch(following):
        return True
    return following.count(")") > following.count("(") or (
        following.startswith("(") and places.legal_form(following)
    )


def _head(sheet: Sheet, labelled: Collection[int]) -> list[Line]:
    """The lines that may hold the letterhead: up to the telephone or heading under an address."""
    head: list[Line] = []
    addressed = False
    for line in sheet.lines[:_HEAD_LINES]:
        if line.page or (addressed and places.stops(line.words)):
            break
        addressed = addressed or places.postcode(line.words) or places.numbered(line.words)
        if line.number not in labelled:
            head.append(line)
    return head


def read_letterhead(sheet: Sheet, labelled: Collection[int] = ()) -> Letterhead:
    """The name and address at the top of the first page; empty parts where there are none.

    `labelled` are lines that begin with a label, where no bare name stands. Scores of the name:
    0.9 with a legal form, 0.75 with a word of trade, 0.6 otherwise; of the address: see
    `read_block`. They rank right above wrong; a later calibration gives them their meaning.
    """
    head = _head(sheet, labelled)
    if not head:
        return Letterhead()
    sender = next(filter(None, map(_sender_line, head[:_SENDER_LINES])), None)
    if sender:
        return sender
    weights = [_weigh_name(head, i) for i in range(len(head))]
    best = max(range(len(head)), key=lambda i: weights[i])
    name, last = _joined(head, best)
    number = head[last].number
    under = sheet.lines[number + 1 : number + 1 + _HEAD_LINES]
    address, address_score = read_block([u for u in under if u.number not in labelled])
    begins = (u.number for u in under if address and address.startswith(places.tidy(u)))
    return Letterhead(name, _name_score(name, weights), address, address_score, next(begins, -1))


def _sender_line(line: Line) -> Letterhead | None:
    """The letterhead in a line of a name, a street and a town, as it stands above a window."""
    match = _SENDER.fullmatch(places.tidy(line))
    if match is None or not places.postcode(match["address"]):
        return None
    return Letterhead(match["name"], 0.85, match["address"], 0.85, line.number)


def _name_score(name: str, weights: Sequence[float]) -> float:
    ordered = sorted(weights, reverse=True)
    if ordered[0] < 0:
        return 0.25
    score = 0.9 if places.legal_form(name) else 0.75 if places.trade_word(name) else 0.6
    rivalled = len(ordered) > 1 and ordered[0] - ordered[1] < 1
    return score - (0.15 if rivalled else 0.0)


def read_block(lines: Sequence[Line]) -> tuple[str, float]:
    """The address in the lines below a name, its lines joined, and how sure it is.

    It begins at the first line with a house or lot number (or a street word) and ends before a
    telephone, registration or heading, or after a post code unless the next line is a region.
    Scores: 0.85 with a post code and a street word, 0.6 with one of them, else 0.3.
    """
    tidied = (places.tidy(line) for line in lines)
    texts = [places.lead(places.before_stop(text) or text) for text in tidied]
    start = _address_start(texts)
    if start is None:
        return "", 0.0
    end = start + 1
    while end < min(len(texts), start + _ADDRESS_LINES) and not _ends_address(texts, end, start):
        end += 1
    taken = texts[start:end]
    joined = " ".join(taken)
    coded = places.postcode(joined)
    street = any(
        p(t) for t in taken for p in (places.street_word, places.numbered, places.ends_numbered)
    )
    return joined, 0.85 if coded and street else 0.6 if coded or street else 0.3


def _address_start(texts: Sequence[str]) -> int | None:
    """The place of the address's first line among the lines under a name."""
    for index, text in enumerate(texts):
        if _registers(text):
            continue
        if places.stops(text):
            if index >= _LEAD_LINES:
                return None
            continue
        after = texts[index + 1] if index + 1 < len(texts) else ""
        if places.numbered(text) or (places.ends_numbered(text) and places.postcode(after)):
            return index
        if places.street_word(text) or places.postcode(text):
            if places.postcode(text) and index and _bare(texts[index - 1]):
                return index - 1
            return index + 1 if _branch(text, after) else index
        if text.endswith(",") and (places.street_word(after) or places.postcode(after)):
            return index
    return None


def _bare(text: str) -> bool:
    """Whether a line above a post code can be a street without a number: words alone."""
    return not (_registers(text) or places.stops(text) or places.heading(text))


def _branch(text: str, after: str) -> bool:
    """Whether a line names a branch: it has no digit and a numbered street follows."""
    return (
        not any(c.isdigit() for c in text)
        and not text.endswith(",")
        and places.numbered(after)
        and places.street_word(after)
        and not re.match(r"\W*\d{5}", after)
    )


def _registers(text: str) -> bool:
    return places.registration(text) == 0 or bool(
        re.match(r"\W*(?:CO|COMPANY|REG|ROC|SSM|GST|BUSINESS)\b", text, re.IGNORECASE)
        and not places.street_word(text)
    )


def _ends_address(texts: Sequence[str], at: int, first: int) -> bool:
    """Whether the address that began at `first` is over before line `at`."""
    text, taken = texts[at], texts[first:at]
    if places.stops(text) or places.heading(text) or _registers(text):
        return True
    open_end = taken[-1].endswith((",", "-", "&"))
    goes_on = open_end or places.street_word(text)
    if places.postcode(" ".join(taken)):
        return text.startswith("(") or not (goes_on or places.region(text))
    if goes_on or any(c.isdigit() or c == "," for c in text):
        return False
    following = texts[at + 1 : at + 3]
    return not any(places.postcode(t) and not places.stops(t) for t in following)
