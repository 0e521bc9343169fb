"""What is measured beside what is checked: recoveries, stalls, model calls paid for twice."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

from tests.chaos.faults import Fault, spread
from tests.chaos.truth import Truth


@dataclass(frozen=True)
class Recovery:
    """How long it took after faults of one kind, in seconds: the median and the longest.

    Attributes:
        kind: of the fault.
        count: how many there were.
        ready: until its target served again.
        new: until something was completed that was accepted after the fault.
        flight: until all was final that had been accepted before the fault.
    """

    kind: str
    count: int
    ready: tuple[float, float] | None
    new: tuple[float, float] | None
    flight: tuple[float, float] | None


def recoveries(truth: Truth, faults: list[Fault]) -> list[Recovery]:
    """Returns: one a kind of fault. Faults overlap, so each time also holds what came after it."""
    spans = lives(truth)
    found = []
    for kind, same in spread(faults).items():
        ready = [each.ready_at - each.at for each in same if each.ready_at is not None]
        new, flight = [], []
        for fault in same:
            later = [end for begin, end in spans if begin > fault.at]
            before = [end for begin, end in spans if begin <= fault.at < end]
            new += [min(later) - fault.at] if later else []
            flight += [max(before) - fault.at] if before else []
        found.append(Recovery(kind, len(same), _row(ready), _row(new), _row(flight)))
    return found


def lives(truth: Truth) -> list[tuple[float, float]]:
    """Returns: when each finished request was accepted and when it was final, since 1970."""
    return [
        (sent.accepted_at, row["completed_at"].timestamp())
        for sent in truth.accepted
        for row in truth.rows_of(sent)
        if sent.accepted_at is not None and row["completed_at"] is not None
    ]


def _row(values: list[float]) -> tuple[float, float] | None:
    return (median(values), max(values)) if values else None


def longest_stall(truth: Truth) -> float:
    """Returns: the longest time, in seconds, in which there was work and no step was settled."""
    settled = sorted(
        row["finished_at"].timestamp()
        for row in truth.tables["steps"]
        if row["finished_at"] is not None
    )
    spans = lives(truth)
    gaps = [
        after - before
        for before, after in pairwise(settled)
        if any(begin <= before and end >= after for begin, end in spans)
    ]
    return max(gaps, default=0.0)


def longest_life(truth: Truth) -> float:
    """Returns: the longest time from acceptance to the final state, in seconds."""
    return max((end - begin for begin, end in lives(truth)), default=0.0)


@dataclass(frozen=True)
class ModelCalls:
    """Calls that the model answered, and how many of them were paid for again."""

    answered: int
    repeated: int
    misbehaved: int


def model_calls(log: Path, truth: Truth) -> ModelCalls:
    """Returns: the chat calls of all runs; a call of another run of a document is no repetition."""
    lines = [json.loads(line) for line in _lines(log)]
    asked = [line for line in lines if line["call"] == "chat"]
    answered = Counter(
        (mark, line["prompt"])
        for line in asked
        if line["mode"] == "answer"
        for mark in line["marks"][:1]
    )
    runs = _runs_by_mark(truth)
    repeated = sum(max(0, count - runs[mark]) for (mark, _), count in answered.items())
    wrong = sum(line["mode"] != "answer" for line in asked)
    return ModelCalls(answered.total(), repeated, wrong)


def _lines(log: Path) -> Iterable[str]:
    return log.read_text(encoding="utf-8").splitlines() if log.exists() else ()


def _runs_by_mark(truth: Truth) -> dict[str, int]:
    numbers = Counter(run["document_id"] for run in truth.tables["runs"])
    found: dict[str, int] = defaultdict(lambda: 1)
    for sent in truth.accepted:
        for row in truth.rows_of(sent):
            # A deleted document has no runs any more, and had as many as were asked of it.
            found[sent.order.mark] = max(1, numbers[row["document_id"]])
    return found
