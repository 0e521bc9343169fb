"""Which of a document's dates is its own date.

Evidence: a label beside it, no label of another date, a time of day on the row (till receipts),
its place from the top, and how often it is printed. Pure.
"""

import re
from collections import Counter

from local.models.extraction.dates import find_dates, has_clock
from local.models.extraction.fields import Field
from local.models.extraction.reading import Document, Reading, agree
from local.models.extraction.sheet import Line, fold, worded
from local.models.extraction.words import any_of

_OTHER = any_of(
    "expiry,expire,exp date,due,birth,valid until,delivery date,delivered,print date,best before,"
    "check out,member since,effective,takes effect,wef,since,printed,fallig,zahlbar,geburt,"
    "geboren,liefer,echeance,naissance,order date,promotion,until,gst approval,joined,points,"
    "prend effet,beginnt"
)
_LABELLED = any_of("date,datum,tarikh,dated,dt,le,date time,receipt for")
_SIGNED = re.compile(
    r"(?:,\s*(?:den|le|the)|\bdated|\bmade on|\bfait le|\bdatum)\W*$", re.IGNORECASE
)
_CLAIM = 0.3
"""Score of a label from which its date is no candidate for the document's own."""

_OWN_LABELS = frozenset(("date", "datum", "le", "dated"))


def is_own_date(wanted: Field) -> bool:
    """Whether a date field asks for the document's own date: it is labelled with the bare word."""
    return wanted.name == "date" or not _OWN_LABELS.isdisjoint(wanted.labels)


def read_date(document: Document, wanted: Field) -> Reading | None:
    """The date of a field: by its label, or for the document's own date by rank among all dates."""
    labelled = document.shaped(wanted)
    if not is_own_date(wanted):
        return agree(labelled)
    return _ranked(document, wanted, labelled)


def _claimed(document: Document, wanted: Field) -> set[int]:
    """Lines whose date belongs to another date field by a label."""
    return {
        r.line
        for f in document.fields
        if f.kind == "date" and f.name != wanted.name and not is_own_date(f)
        for r in document.shaped(f)[:1]
        if r.score > _CLAIM
    }


def _ranked(document: Document, wanted: Field, labelled: list[Reading]) -> Reading | None:
    claimed = _claimed(document, wanted)
    by_label = {(r.line, r.value): r.score for r in labelled}
    candidates: list[tuple[float, float, str, int]] = []
    for line in document.sheet.lines:
        for found in find_dates(line.text):
            value = line.text[found.start : found.end].strip()
            label = by_label.get((line.number, value), 0.0)
            weight = _weight(line, found.start, label, document) + found.certainty
            if line.number in claimed and not label:
                weight -= 2.0
            candidates.append((weight, label, value, line.number))
    if not candidates:
        return agree(labelled)
    counts = Counter(fold(value) for _, _, value, _ in candidates)
    weight, label, value, number = max(
        candidates, key=lambda c: c[0] + 0.3 * min(counts[fold(c[2])] - 1, 2)
    )
    rivals = {fold(v) for w, _, v, _ in candidates if w > weight - 1.0} - {fold(value)}
    score = 0.55 + 0.35 * min(1.0, label) + (0.05 if counts[fold(value)] > 1 else 0.0)
    if len(counts) == 1:
        score += 0.2
    score -= 0.12 * min(len(rivals), 2)
    if weight < 1.0:
        score -= 0.15
    return Reading(value, max(0.1, min(0.97, score)), number)


def _weight(line: Line, start: int, label: float, document: Document) -> float:
    """How much a date's row speaks for it being the document's own date."""
    before = worded(line.text[:start])[-30:]
    weight = 2.0 * label
    if _LABELLED.search(before):
        weight += 0.5
    if _OTHER.search(before):
        weight -= 2.0
    if _SIGNED.search(line.text[:start]):
        weight += 0.8
    if has_clock(line.text[start:]):
        weight += 0.6
    return weight - 0.8 * line.number / max(1, len(document.sheet.lines))
