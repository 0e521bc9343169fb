"""The rows of a page that hold amounts, and what their words say the amounts are. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from local.models.extraction.amounts import find_amounts, find_loose_amounts
from local.models.extraction.sheet import Line, Sheet, worded
from local.models.extraction.words import any_of, listed

STRONG = any_of(
    "grand total,total due,amount due,total payable,amount payable,nett total,net total,"
    "nett amount,nett amt,net amt,rounded total,total rounded,total amt rounded,after rounding,"
    "after adj,after round,balance due,total to pay,amount to pay,final total,total amt payable,"
    "bill amount,amt due,payable amount,to pay,jumlah besar,jumlah bayaran,gesamtbetrag,"
    "rechnungsbetrag,endbetrag,bruttobetrag,gesamtsumme,zu zahlen,zahlbetrag,total ttc,"
    "net a payer,montant ttc,total a payer,montant total,invoice total,total incl,bill total"
)
MEDIUM = any_of("total,totai,jumlah,summe,gesamt,ttc,brutto,montant du")
WEAK = any_of("amount,amt,betrag,montant,fare,charges,harga")
INCLUSIVE = any_of("incl,inclusive,including,with gst,after gst,w gst,w tax,termasuk")
PART = any_of(
    "sub total,gross,sub ttl,sub tota,zwischensumme,sous total,excl,exclusive,before,taxable,"
    "netto,total ht,montant ht,without,w/o,nettobetrag,supplies,sales value,amount ht,excluding"
)
TAX = any_of(
    "gst,vat,sst,mwst,tva,tax,ust,service charge,svc,svr charge,steuer,cukai,serv chg,service chg"
)
NOT_MONEY = any_of(
    "qty,quantity,item,saving,discount,disc,point,rabatt,remise,pcs,kuantiti,mileage,you saved,"
    "no of,deposit,anzahl"
)
ROUNDING = any_of(
    "rounding,roundng,round adj,round!,rour!,pembundaran,pelarasan,rundung,arrondi,rnd,adjustment"
)
CHANGE = any_of("change,baki,balance,kembali,ruckgeld,zuruck,rendu,monnaie,chg,wechselgeld")
TENDERED = any_of(
    "cash,tender,paid,payment,visa,master,amex,card,debit,tunai,received,accepted,gegeben,bar,"
    "especes,carte,bayar,pay,amt recd,credit,gegeben"
)
_TAX_HEAD = any_of("gst,gsj,sst,vat,mwst,tva,tax,cst,gst summary")
_HEAD_WORDS = any_of(
    "summary,sunnary,surnmary,sumary,ummary,analysis,code,taxable,rate,amt excl,goods,breakdown,"
    "detail"
)
_SMALL = Decimal("0.5")
"""Rounding to five cents moves no total by more; a larger amount beside the word is a total."""

_HARSH = str.maketrans(dict.fromkeys("tijfl1", "l") | dict.fromkeys("ucdgqo", "o"))
_KEYWORDS = tuple(
    (w, w.translate(_HARSH)) for w in listed("total,cash,change,rounding,tender,amount")
)
_GRAND, _TOTAL = 4.0, 3.0
_NO_WORDS = len("rm s")


@dataclass(frozen=True, slots=True)
class Row:
    """A line with amounts: the blurred words that say what they are, and the amounts.

    `summary` marks the rows of a tax summary, which repeats the total in parts.
    """

    line: Line
    label: str
    amounts: tuple[tuple[int, int, Decimal], ...]
    summary: bool

    @property
    def last(self) -> Decimal:
        """The rightmost amount, which is the row's value."""
        return self.amounts[-1][2]


def is_summary_head(key: str) -> bool:
    """Whether a worded line heads a summary of taxes, whose amounts are no items and no totals."""
    return bool(_TAX_HEAD.search(key) and _HEAD_WORDS.search(key))


def read_rows(sheet: Sheet) -> list[Row]:
    """The lines that hold amounts, each with its words; words may stand on the line above."""
    rows: list[Row] = []
    waiting = ""
    summary = False
    for line in sheet.lines:
        found = _amounts(line)
        label = _repaired(label_of(line, [(s, e) for s, e, _ in found]))
        if not found:
            summary = summary or is_summary_head(line.worded)
            waiting = label
            continue
        if len(label) <= _NO_WORDS and waiting:
            label = waiting
        if STRONG.search(label) and not PART.search(label):
            summary = False
        rows.append(Row(line, label, tuple(found), summary))
        waiting = ""
    return rows


def _amounts(line: Line) -> list[tuple[int, int, Decimal]]:
    """The amounts of a line; badly printed ones only beside words that promise an amount."""
    found = find_amounts(line.text)
    if not found and any(p.search(line.worded) for p in (MEDIUM, TENDERED, CHANGE, ROUNDING)):
        found = find_loose_amounts(line.text)
    return [(a.start, a.end, a.number) for a in found]


def label_of(line: Line, spans: Sequence[tuple[int, int]]) -> str:
    """The folded and blurred letters of a line outside its amounts."""
    kept = list(line.text)
    for start, end in spans:
        kept[start:end] = " " * (end - start)
    return worded("".join(kept))


def _repaired(label: str) -> str:
    """A label without any known word, with the word put in that OCR most likely misread.

    `lulal` becomes `total`: letters are compared in classes that faint print confuses.
    """
    if any(p.search(label) for p in (MEDIUM, TENDERED, CHANGE, ROUNDING, TAX, PART, NOT_MONEY)):
        return label
    harsh = label.translate(_HARSH)
    for word, pattern in _KEYWORDS:
        at = harsh.find(pattern)
        if at >= 0:
            return label[:at] + word + label[at + len(word) :]
    return label


def weigh_row(row: Row) -> float:
    """How much a row's words speak for its amount being the total (see `weigh_label`)."""
    if ROUNDING.search(row.label) and abs(row.last) > _SMALL and not MEDIUM.search(row.label):
        return 3.5
    return weigh_label(row.label)


def weigh_label(label: str) -> float:
    """How much words speak for an amount being the total: 4 grand total, 3 total .. -4 not money.

    The steps are ordered by what was right on the receipts that the rules were tuned on.
    """
    weight = _GRAND if STRONG.search(label) else _TOTAL if MEDIUM.search(label) else 0.0
    if not weight and WEAK.search(label):
        weight = 1.0
    inclusive = bool(INCLUSIVE.search(label))
    if PART.search(label) and not (inclusive and "subtotal" not in label.replace(" ", "")):
        weight -= 2.5
    if TAX.search(label) and not inclusive:
        weight -= 1.0 if weight >= _GRAND else 3.0
    if NOT_MONEY.search(label):
        weight -= 2.0
    if ROUNDING.search(label) and weight < _TOTAL:
        weight -= 4.0
    if (CHANGE.search(label) or TENDERED.search(label)) and weight < _TOTAL:
        weight -= 3.0
    return weight
