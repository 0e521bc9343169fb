"""What filters cost: those that an index serves, and those that look at one object after the other.

One client, one after the other, first pages of 50. The stored bodies are such that each filter
meets a known share of them.
"""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bench.percentiles import percentile
from bench.subjects import FRAGMENTS, INDEXED, PLAIN, Subjects

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
    count: bool = False


def cases(count: int) -> tuple[Case, ...]:
    """Returns: the filters, aimed at collections of so many objects."""
    return (*_served(count // 2), *_walked(), *_counted())


def _served(half: int) -> Iterator[Case]:
    """Yield those that an index serves, alone and beside conditions that none does."""
    yield Case("ordered index, equal: one in 3,650", INDEXED, {"date": "2017-03-05"})
    days = ["2017-03-05", "2018-03-05", "2019-03-05"]
    yield Case("ordered index, in: three in 3,650", INDEXED, {"date": {"in": days}})
    hundred = {"number": {"gte": half, "lt": half + 100}}
    yield Case("ordered index, a range of 100", INDEXED, hundred)
    yield Case("equality index: one in 520", INDEXED, {"tags": "week-77"})
    weeks = ["week-77", "week-78"]
    yield Case("equality index, in: two in 520", INDEXED, {"tags": {"in": weeks}})
    yield Case("equality index: none", INDEXED, {"tags": "week-9999"})
    yield Case("words: a single object", INDEXED, q=f"entry {half}")
    yield Case("words: one in four", INDEXED, q="Bertil")
    yield Case("words and fragments: a single object", FRAGMENTS, q=f"ntry {half}")
    yield Case("words and fragments: none", FRAGMENTS, q="glockenspiel")
    several = {"tags": "week-77", "mood": {"gte": 4}, "text": {"contains": "dora"}}
    yield Case("equality index: one in 520, and two conditions without", INDEXED, several)
    both = {**hundred, "tags": "week-77"}
    yield Case("ordered and equality index: one at most", INDEXED, both)
    beside = {**hundred, "title": {"prefix": "Entry"}, "weather.sky": {"exists": True}}
    yield Case("ordered index, a range of 100, and two conditions without", INDEXED, beside)


def _walked() -> Iterator[Case]:
    """Yield those that look at one object after the other, until a page is full or to the end."""
    yield Case("no index, equal: one in five", PLAIN, {"mood": 3})
    yield Case("no index, equal: none, so all are looked at", PLAIN, {"mood": 9})
    yield Case("no index, ne: four in five", PLAIN, {"mood": {"ne": 3}})
    yield Case("no index, in: none, so all are looked at", PLAIN, {"mood": {"in": [8, 9]}})
    yield Case("no index, range: none, so all are looked at", PLAIN, {"mood": {"gt": 9}})
    yield Case("no index, prefix: all", PLAIN, {"title": {"prefix": "Entry"}})
    yield Case("no index, prefix: none, so all are looked at", PLAIN, {"title": {"prefix": "x"}})
    yield Case("no index, contains: one in four", PLAIN, {"text": {"contains": "bertil"}})
    none = {"text": {"contains": "glockenspiel"}}
    yield Case("no index, contains: none, so all are looked at", PLAIN, none)
    yield Case("no index, exists: all", PLAIN, {"weather.sky": {"exists": True}})
    nowhere = {"weather.wind": {"exists": True}}
    yield Case("no index, exists: none, so all are looked at", PLAIN, nowhere)


def _counted() -> Iterator[Case]:
    """Yield pages whose matches are counted too, up to 10,000 of them."""
    yield Case("count, no condition", PLAIN, count=True)
    yield Case("count, no index: one in five", PLAIN, {"mood": 3}, count=True)
    yield Case("count, equality index: one in 520", INDEXED, {"tags": "week-77"}, count=True)
    yield Case("count, words: one in four", INDEXED, q="Bertil", count=True)


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
    if case.count:
        given["count"] = "true"
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
