"""What filters cost: those that an index serves, and those that look at one object after the other.

One client, one after the other, first pages of 50. The stored bodies are such that each filter
meets a known share of them.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from bench.percentiles import percentile
from bench.subjects import INDEXED, PLAIN, Subjects

_MOST: Final = 50


@dataclass(frozen=True, slots=True)
class Filtered:
    """One filter with so many objects stored: latencies in milliseconds, or how it is refused."""

    stored: int
    name: str
    status: int
    calls: int
    p50: float
    p95: float


@dataclass(frozen=True, slots=True)
class Case:
    """One filter: on which collection, and by which parameters."""

    name: str
    collection: str
    where: Mapping[str, Any] | None = None
    q: str | None = None


def cases(count: int) -> tuple[Case, ...]:
    """Returns: the filters, aimed at collections of so many objects."""
    half = count // 2
    return (
        Case("ordered index, equal: one in 3,650", INDEXED, {"date": "2017-03-05"}),
        Case(
            "ordered index, a range of 100",
            INDEXED,
            {"number": {"gte": half, "lt": half + 100}},
        ),
        Case("equality index: one in 520", INDEXED, {"tags": "week-77"}),
        Case("equality index: none", INDEXED, {"tags": "week-9999"}),
        Case("words: a single object", INDEXED, q=f"entry {half}"),
        Case("words: one in four", INDEXED, q="Bertil"),
        Case("no index: one in five", PLAIN, {"mood": 3}),
        Case("no index: none, so all are looked at", PLAIN, {"mood": 9}),
    )


def measure(subjects: Subjects, count: int, seconds: float) -> list[Filtered]:
    """Returns: what each filter costs, asked for so many seconds and at most 50 times."""
    return [_one(subjects, case, count, seconds) for case in cases(count)]


def _one(subjects: Subjects, case: Case, count: int, seconds: float) -> Filtered:
    path = f"/v1/gpts/{subjects.gpt_id}/collections/{case.collection}/objects"
    given = {"limit": "50"}
    if case.where is not None:
        given["where"] = json.dumps(case.where)
    if case.q is not None:
        given["q"] = case.q
    status = subjects.client.get(path, params=given).status_code  # the first one is not counted
    taken: list[float] = []
    end = time.monotonic() + seconds
    while not taken or (time.monotonic() < end and len(taken) < _MOST):
        began = time.perf_counter()
        status = subjects.client.get(path, params=given).status_code
        taken.append((time.perf_counter() - began) * 1000)
    return Filtered(
        count, case.name, status, len(taken), percentile(taken, 0.5), percentile(taken, 0.95)
    )


def show(found: Filtered) -> None:
    """Print what a filter costs."""
    refused = "" if found.status == 200 else f"  answered with {found.status}"
    print(
        f"{found.stored} stored, filter, {found.name}: ms p50 {found.p50:.1f} p95 {found.p95:.1f}"
        f" of {found.calls}{refused}",
        flush=True,
    )
