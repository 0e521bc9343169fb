"""The total of a receipt or an invoice: which of the amounts on the page is the one to pay.

Evidence: the words of the row, arithmetic (tendered - change, parts + tax, rounding), repetition.
On 200 receipts not used for tuning, `tendered - change` was printed as an amount on 132, and was
the total on 95 % of those. Pure.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from local.models.extraction.amounts import find_percentages, to_number
from local.models.extraction.rows import (
    CHANGE,
    INCLUSIVE,
    PART,
    ROUNDING,
    STRONG,
    TAX,
    TENDERED,
    Row,
    weigh_row,
)
from local.models.extraction.sheet import Line

_PAID, _TAXED, _SUMMED = 3, 2, 1
_TOTAL_WORD, _STRONG_WORD = 3.0, 3.5
_CENT = Decimal("0.02")
_LARGEST_STEP = Decimal("0.1")
_MOST_PAIRS = 8
_MOST_ROWS = 100
"""Rows at the end of a document that arithmetic looks at, so that its cost stays bounded."""

_FEW_ITEMS = 2
_NO_MONEY = -2
"""Weight of words at or below which arithmetic does not make an amount the total."""


@dataclass(frozen=True, slots=True)
class TotalFound:
    """An amount that may be the total: where it is printed, its number, and how sure that is."""

    line: Line
    start: int
    end: int
    number: Decimal
    score: float


@dataclass(frozen=True, slots=True)
class TaxFound:
    """A part sum, a rate and a tax that prove each other: part x rate = tax, part + tax = total.

    Each is the row's line and extent.
    """

    part: tuple[Line, int, int]
    rate: tuple[Line, int, int]
    tax: tuple[Line, int, int]
    total: Decimal


def find_tax(rows: Sequence[Row]) -> TaxFound | None:
    """The first row whose percentage of an earlier amount is the row's own amount, to two cents."""
    printed = {r.last for r in rows}
    for place, row in list(enumerate(rows))[-_MOST_ROWS:]:
        for start, end in find_percentages(row.line.text):
            rate = to_number(row.line.text[start:end].rstrip("% "))
            if not rate:
                continue
            for part in rows[max(0, place - _MOST_ROWS) : place]:
                due = part.last * rate / 100
                if abs(due - row.last) < _CENT and part.last + row.last in printed:
                    return TaxFound(
                        (part.line, *part.amounts[-1][:2]),
                        (row.line, start, end),
                        (row.line, *row.amounts[-1][:2]),
                        part.last + row.last,
                    )
    return None


def _proofs(rows: Sequence[Row]) -> Counter[Decimal]:
    """Amounts that arithmetic says are the total, with the weight of the proof."""
    body = [r for r in rows if not r.summary]
    printed = Counter(a[2] for r in body for a in r.amounts)
    proofs: Counter[Decimal] = Counter()
    for number in _sums_of_items(body):
        proofs[number] = _SUMMED
    for number in _taxed(body):
        proofs[number] = _TAXED
    taxed = find_tax(body)
    if taxed:
        proofs[taxed.total] = _PAID
    tendered = Counter(
        abs(r.last)
        for r in body
        if TENDERED.search(r.label) and not CHANGE.search(r.label) and not STRONG.search(r.label)
    )
    change = [abs(r.last) for r in body if CHANGE.search(r.label) and not STRONG.search(r.label)]
    for paid, times in list(tendered.items())[-_MOST_PAIRS:]:
        for back in change[-_MOST_PAIRS:]:
            due = paid - back
            if due > 0 and printed[due] > (0 if back else times):
                proofs[due] = _PAID
    return proofs


def _taxed(rows: Sequence[Row]) -> set[Decimal]:
    """The printed sums of a part sum and a tax or service charge."""
    printed = {a[2] for r in rows for a in r.amounts}
    parts = [r.last for r in rows if PART.search(r.label)][:_MOST_PAIRS]
    taxes = [
        r.last
        for r in rows
        if TAX.search(r.label) and not INCLUSIVE.search(r.label) and not PART.search(r.label)
    ][:_MOST_PAIRS]
    return {p + t for p in parts for t in taxes if 0 < t < p and p + t in printed}


def _sums_of_items(rows: Sequence[Row]) -> set[Decimal]:
    """The amounts of rows about a total that are the sum of all unlabelled rows above them."""
    running = Decimal(0)
    items = 0
    sums = set()
    for row in rows:
        weight = weigh_row(row)
        if weight == 0:
            running += row.last
            items += 1
        elif weight > 0 and items >= _FEW_ITEMS and row.last == running:
            sums.add(row.last)
    return sums


def _rounded(rows: Sequence[Row]) -> set[Decimal]:
    """Amounts that are a labelled total plus or minus a rounding line that is not zero."""
    steps = [r.last for r in rows if ROUNDING.search(r.label) and 0 < abs(r.last) < _LARGEST_STEP]
    totals = [r.last for r in rows[-_MOST_ROWS:] if weigh_row(r) > 0 and not r.summary]
    printed = {a[2] for r in rows for a in r.amounts}
    both = (*steps[-_MOST_PAIRS:], *(-s for s in steps[-_MOST_PAIRS:]))
    return {t + s for t in totals for s in both if t + s in printed}


def rank_totals(rows: Sequence[Row]) -> list[TotalFound]:
    """The amounts that may be the total, best first; empty when the page holds no amounts.

    Scores: 0.96 proved by what was paid and labelled, 0.92 proved by sums, 0.9 a strong label and
    repeated, 0.82 a strong label, 0.75 the word total alone, 0.35 the largest amount of a page
    without such words; 0.15 less where another labelled amount disagrees and nothing is proved.
    """
    if not rows:
        return []
    proofs, rounded = _proofs(rows), _rounded(rows)
    counts = Counter(abs(a[2]) for r in rows if not r.summary for a in r.amounts)
    weights = [weigh_row(r) for r in rows]
    largest = max(
        (r.last for r, w in zip(rows, weights, strict=True) if w > _NO_MONEY), default=Decimal(0)
    )
    ranked: list[tuple[float, int, Row]] = []
    for order, (row, label) in enumerate(zip(rows, weights, strict=True)):
        weight = label - (3.5 if row.summary else 0.0) - (3.0 if row.last <= 0 else 0.0)
        weight += proofs[row.last] if weight > _NO_MONEY else 0
        weight += 2.0 if row.last in rounded else 0.0
        weight += 0.4 * min(counts[row.last] - 1, 2) + (0.5 if row.last == largest else 0.0)
        ranked.append((weight, order, row))
    ranked.sort(key=lambda item: (-item[0], -item[1]))
    rivals = {
        r.last for r, w in zip(rows, weights, strict=True) if w >= _TOTAL_WORD and not r.summary
    }
    return [
        TotalFound(
            row.line,
            *row.amounts[-1],
            score=_score(row, proofs[row.last], counts[row.last], len(rivals)),
        )
        for _, _, row in ranked
    ]


def _score(row: Row, proof: int, count: int, rivals: int) -> float:
    """The confidence of a candidate from proof, label and rivals (see `rank_totals`)."""
    label = weigh_row(row)
    if label <= 0:
        return 0.7 if proof >= _PAID else 0.5 if proof else 0.3
    if proof:
        return {_PAID: 0.96, _TAXED: 0.92}.get(proof, 0.88)
    strong = label >= _STRONG_WORD
    score = 0.9 if strong and count > 1 else 0.82 if strong else 0.75
    return score - (0.15 if rivals > 1 else 0.0)
