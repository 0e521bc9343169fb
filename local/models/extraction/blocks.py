"""Names with addresses on a page: lines that stand under each other without a gap. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from local.models.extraction import places
from local.models.extraction.amounts import find_amounts
from local.models.extraction.letterhead import read_block
from local.models.extraction.sheet import Cell, Line, Sheet

_LINES = 34
"""Lines from the top in which the parties of a letter or an invoice are looked for."""

_EDGE, _MIDDLE = 3, 5
_MOST_NAME = 70
_ADDRESSING = frozenset(
    ("firma", "herr", "herrn", "frau", "an", "to", "an die", "monsieur", "madame")
)
_NAME_LINES = 2
_GOOD_ADDRESS, _POOR_ADDRESS = 0.6, 0.3


@dataclass(frozen=True, slots=True)
class Block:
    """A party as printed: its name, its address on one line, the first line's number, a score."""

    name: str
    address: str
    line: int
    score: float


def aligned(one: Cell, other: Cell) -> bool:
    """Whether two cells stand under each other: same left, right or middle, to a few characters."""
    return (
        abs(one.start - other.start) <= _EDGE
        or abs(one.end - other.end) <= _EDGE
        or abs(one.start + one.end - other.start - other.end) <= 2 * _MIDDLE
    )


def _stacks(sheet: Sheet) -> list[list[Line]]:
    """The cells of the first page's head as stacks of lines that no gap parts."""
    stacks: list[list[tuple[Line, Cell]]] = []
    for line in sheet.lines[:_LINES]:
        if line.page or find_amounts(line.text):
            break
        for cell in line.cells:
            home = next(
                (
                    s
                    for s in stacks
                    if s[-1][0].number == line.number - 1
                    and not line.gap
                    and aligned(s[-1][1], cell)
                ),
                None,
            )
            if home is None:
                stacks.append([(line, cell)])
            else:
                home.append((line, cell))
    return [[Line(n.number, n.page, c.text, n.gap) for n, c in stack] for stack in stacks]


def _split(stack: Sequence[Line]) -> list[list[Line]]:
    """A stack cut after each post code, where another name and address follow without a gap."""
    parts: list[list[Line]] = [[]]
    for line in stack:
        before = parts[-1][-1].words if parts[-1] else ""
        if (
            places.postcode(before)
            and not places.region(line.words)
            and not places.postcode(line.words)
        ):
            parts.append([])
        parts[-1].append(line)
    return parts


def _nameable(text: str) -> bool:
    letters = sum(c.isalpha() for c in text)
    return (
        letters * 2 > len(text)
        and len(text) <= _MOST_NAME
        and not (places.heading(text) or places.stops(text) or places.numbered(text))
    )


def read_blocks(sheet: Sheet, labelled: Collection[int]) -> list[Block]:
    """The names with addresses in the head of the first page, in reading order.

    `labelled` are lines that begin with a label; a name may not stand there. A name may stand
    apart above its address. Scores: 0.8 with a post code and a street, 0.65 with a post code alone,
    0.55 with a street alone.
    """
    blocks: list[Block] = []
    alone: Line | None = None
    for stack in (part for whole in _stacks(sheet) for part in _split(whole)):
        lines = _without_heads(stack, labelled)
        if not lines:
            continue
        first = lines[0]
        own = _nameable(first.words) and not places.postcode(first.words)
        address, score = read_block(lines[1:] if own else lines)
        if not address or score <= _POOR_ADDRESS:
            alone = first if own and len(lines) <= _NAME_LINES else alone
            continue
        name = first if own else alone
        if name:
            blocks.append(Block(places.tidy(name), address, name.number, _score(address, score)))
            alone = None
    return blocks


def _without_heads(stack: Sequence[Line], labelled: Collection[int]) -> list[Line]:
    """A stack without the label or the heading that it may begin with."""
    lines = list(stack)
    while lines and (lines[0].number in labelled or _heads(lines[0].words)):
        lines.pop(0)
    return lines


def _heads(text: str) -> bool:
    """Whether a line is a heading or a mere form of address above a name."""
    return places.heading(text) or text.strip(" :.,").lower() in _ADDRESSING


def _score(address: str, score: float) -> float:
    if score > _GOOD_ADDRESS:
        return 0.8
    return 0.65 if places.postcode(address) else 0.55


def read_lone_address(sheet: Sheet) -> tuple[str, float]:
    """The best address that stands in a stack without a name above it, and how sure it is."""
    found = [read_block(stack) for stack in _stacks(sheet)]
    return max(found, key=lambda item: item[1], default=("", 0.0))
