"""The total of a receipt or an invoice: which of the amounts on the page is the one to pay.

Evidence: the words of the row, arithmetic (tendered - change, parts + tax, rounding), repetition.
On 200 receipts not used for tuning, `tendered - change` was printed as an amount on 132, and was
the total on 95 % of those. Pure.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from local.models.extraction.amounts import find_amounts, find_loose_amounts
from local.models.extraction.sheet import Line, Sheet, blur, fold


def _words(*words: str) -> re.Pattern[str]:
    return re.compile("|".join(blur(fold(w)) for w in words))


_STRONG = _words(
    "grand total",
    "grandtotal",
    "total due",
    "amount due",
    "total payable",
    "amount payable",
    "nett total",
    "net total",
    "nett amount",
    "rounded total",
    "total rounded",
    "total amt rounded",
    "after rounding",
    "after adj",
    "balance due",
    "total to pay",
    "amount to pay",
    "net amt",
    "total amt payable",
    "bill amount",
    "amt due",
    "nett amt",
    "jumlah besar",
    "jumlah bayaran",
    "gesamtbetrag",
    "rechnungsbetrag",
    "endbetrag",
    "bruttobetrag",
    "gesamtsumme",
    "zu zahlen",
    "zahlbetrag",
    "total ttc",
    "net a payer",
    "montant ttc",
    "total a payer",
    "montant total",
    "invoice total",
    "total incl",
)
_MEDIUM = _words(
    "total",
    "totai",
    "tota",
    "otal",
    "jumlah",
    "summe",
    "gesamt",
    "montant du",
    "ttc",
    "brutto",
)
_INCLUSIVE = _words("incl", "inclusive", "with gst", "after gst", "gst incl", "w gst", "w tax")
_PART = _words(
    "subtotal",
    "sub total",
    "sub-ttl",
    "zwischensumme",
    "sous total",
    "excl",
    "exclusive",
    "before",
    "taxable",
    "netto",
    "total ht",
    "montant ht",
    "without",
    "w/o",
    "nettobetrag",
    "supplies",
    "sales value",
)
_TAX = _words(
    "gst", "vat", "sst", "mwst", "tva", "tax", "ust", "service charge", "svc", "steuer", "cukai"
)
_NOT_MONEY = _words(
    "qty",
    "quantity",
    "item",
    "items",
    "saving",
    "savings",
    "discount",
    "disc",
    "point",
    "points",
    "rabatt",
    "remise",
    "pcs",
    "kuantiti",
    "mileage",
    "balance point",
    "you saved",
    "no of",
    "deposit",
)
_ROUNDING = _words(
    "rounding",
    "round adj",
    "roundng",
    "pembundaran",
    "pelarasan",
    "rundung",
    "arrondi",
    "rnd",
    "adjustment",
)
_CHANGE = _words(
    "change", "baki", "balance", "kembali", "ruckgeld", "zuruck", "rendu", "monnaie", "chg"
)
_TENDERED = _words(
    "cash",
    "tender",
    "tendered",
    "paid",
    "payment",
    "visa",
    "master",
    "amex",
    "card",
    "debit",
    "tunai",
    "received",
    "gegeben",
    "bar",
    "especes",
    "carte",
    "bayar",
    "pay",
    "amt recd",
    "tendering",
)
_SUMMARY_HEAD = re.compile(
    r"(?=.*(gst|gsj|sst|vat|mwst|tva|tax|cst))(?=.*({}))".format(
        "|".join(
            blur(w)
            for w in (
                "summary",
                "sunnary",
                "surnmary",
                "ummary",
                "analysis",
                "code",
                "taxable",
                "rate",
                "amtexcl",
                "goods",
                "breakdown",
                "detail",
            )
        )
    )
)


@dataclass(frozen=True, slots=True)
class Row:
    """A line that ends in amounts: the blurred words that say what they are, and the amounts."""

    line: Line
    label: str
    amounts: tuple[tuple[int, int, Decimal], ...]
    summary: bool

    @property
    def last(self) -> Decimal:
        """The rightmost amount, which is the row's value."""
        return self.amounts[-1][2]


def read_rows(sheet: Sheet) -> list[Row]:
    """The lines that hold amounts, each with its words; words may stand on the line above."""
    rows: list[Row] = []
    waiting = ""
    summary = False
    for line in sheet.lines:
        found = [(a.start, a.end, a.number) for a in find_amounts(line.text)]
        label = _label(line, [(s, e) for s, e, _ in found])
        if not found and (
            _MEDIUM.search(label) or _TENDERED.search(label) or _CHANGE.search(label)
        ):
            found = [(a.start, a.end, a.number) for a in find_loose_amounts(line.text)]
        if not found:
            if _SUMMARY_HEAD.search(blur(fold(line.text))):
                summary = True
            waiting = label
            continue
        if len(label) <= len("rm0") and waiting:
            label = waiting
        if _STRONG.search(label) and not _PART.search(label):
            summary = False
        rows.append(Row(line, label, tuple(found), summary))
        waiting = ""
    return rows


def _label(line: Line, spans: Sequence[tuple[int, int]]) -> str:
    """The blurred letters of a line outside its amounts."""
    kept = list(line.text)
    for start, end in spans:
        kept[start:end] = " " * (end - start)
    return blur(fold("".join(kept)))


def weigh_label(label: str) -> float:
    """How much a row's words speak for its amount being the total: 4 grand total .. -4 not money."""
    weight = 0.0
    if _STRONG.search(label):
        weight = 4.0
    elif _MEDIUM.search(label):
        weight = 3.0
    inclusive = bool(_INCLUSIVE.search(label))
    if _PART.search(label) and not (inclusive and "subtotal" not in label):
        weight -= 2.5
    if _TAX.search(label) and not inclusive:
        weight -= 1.0 if weight >= 4.0 else 3.0
    if _NOT_MONEY.search(label):
        weight -= 2.0
    if _ROUNDING.search(label) and weight < 3.0:
        weight -= 4.0
    if (_CHANGE.search(label) or _TENDERED.search(label)) and weight < 3.0:
        weight -= 3.0
    return weight


@dataclass(frozen=True, slots=True)
class TotalFound:
    """An amount that may be the total: where it is printed, its number, and how sure that is."""

    line: Line
    start: int
    end: int
    number: Decimal
    score: float


def _proofs(rows: Sequence[Row]) -> Counter[Decimal]:
    """Amounts that arithmetic says are the total, with the weight of the proof."""
    proofs: Counter[Decimal] = Counter()
    body = [r for r in rows if not r.summary]
    printed = {a[2] for r in body for a in r.amounts}
    tendered = [
        abs(r.last) for r in body if _TENDERED.search(r.label) and not _CHANGE.search(r.label)
    ]
    change = [abs(r.last) for r in body if _CHANGE.search(r.label)]
    for paid in tendered:
        for back in change:
            if (
                back < paid
                and paid - back in printed
                and (back or tendered.count(paid) < _count(body, paid))
            ):
                proofs[paid - back] = 3
    for parts, tax in _pairs(body):
        if parts + tax in printed and tax:
            proofs[parts + tax] = max(proofs[parts + tax], 2)
    return proofs


def _count(rows: Sequence[Row], number: Decimal) -> int:
    return sum(a[2] == number for r in rows for a in r.amounts)


def _pairs(rows: Sequence[Row]) -> list[tuple[Decimal, Decimal]]:
    """The part sums and the taxes of a page, each part with each tax."""
    parts = [r.last for r in rows if _PART.search(r.label)]
    taxes = [
        r.last
        for r in rows
        if _TAX.search(r.label) and not _INCLUSIVE.search(r.label) and not _PART.search(r.label)
    ]
    return [(p, t) for p in parts[:8] for t in taxes[:8] if Decimal(0) < t < p]


def _rounded(rows: Sequence[Row]) -> set[Decimal]:
    """Amounts that are a labelled total plus a rounding line that is not zero."""
    steps = [
        r.last
        for r in rows
        if _ROUNDING.search(r.label) and abs(r.last) < Decimal("0.1") and r.last
    ]
    totals = [r.last for r in rows if weigh_label(r.label) > 0 and not r.summary]
    printed = {a[2] for r in rows for a in r.amounts}
    return {t + s for t in totals for s in (*steps, *(-s for s in steps)) if t + s in printed}


def rank_totals(sheet: Sheet) -> list[TotalFound]:
    """The amounts that may be the total, best first; empty when the page holds no amounts.

    Scores: 0.96 proved by arithmetic and labelled, 0.9 a strong label and repeated, 0.82 a strong
    label, 0.75 the word total alone, 0.35 the largest amount of a page without such words; 0.15
    less where another labelled amount disagrees and nothing is proved.
    """
    rows = read_rows(sheet)
    if not rows:
        return []
    proofs, rounded = _proofs(rows), _rounded(rows)
    counts = Counter(abs(a[2]) for r in rows if not r.summary for a in r.amounts)
    largest = max((r.last for r in rows if weigh_label(r.label) > -2), default=Decimal(0))
    ranked: list[tuple[float, int, Row]] = []
    for order, row in enumerate(rows):
        weight = weigh_label(row.label)
        if row.summary:
            weight -= 3.5
        if row.last <= 0:
            weight -= 3.0
        weight += proofs[row.last] if weight > -2 else 0
        weight += 2.0 if row.last in rounded else 0.0
        weight += 0.4 * min(counts[row.last] - 1, 2) + (0.5 if row.last == largest else 0.0)
        ranked.append((weight, order, row))
    ranked.sort(key=lambda item: (-item[0], -item[1]))
    rivals = {r.last for w, _, r in ranked if weigh_label(r.label) >= 3.0 and not r.summary}
    return [
        TotalFound(
            row.line,
            *row.amounts[-1],
            score=_score(row, weight, proofs[row.last], counts[row.last], len(rivals)),
        )
        for weight, _, row in ranked
    ]


def _score(row: Row, weight: float, proof: int, count: int, rivals: int) -> float:
    """The confidence of a candidate, from its proof, its label and its rivals (see `rank_totals`)."""
    label = weigh_label(row.label)
    if label <= 0:
        return 0.7 if proof >= 3 else (0.35 if weight > 0 else 0.2)
    if proof:
        return 0.96 if proof >= 3 else 0.92
    score = 0.9 if label >= 4 and count > 1 else 0.82 if label >= 4 else 0.75
    return score - (0.15 if rivals > 1 else 0.0)


def is_summary_head(key: str) -> bool:
    """Whether a blurred line heads a summary of taxes, whose amounts are no items and no totals."""
    return bool(_SUMMARY_HEAD.search(key))
