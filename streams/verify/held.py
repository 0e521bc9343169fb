"""What the live index holds of documents and objects, counted beside what it should hold."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from streams.verify.difference import Kind, Look
from streams.verify.stores import Stores

_ENTRIES: Final = 5000
_SOURCES: Final = 1000


@dataclass(frozen=True, slots=True)
class Expected:
    """What is to be there of one document or object: `count` entries with ordinals below `end`."""

    id: str
    gpt_id: str
    version: int
    origin: str | None
    count: int
    end: int


@dataclass(slots=True)
class Held:
    """What the index holds of one of them."""

    good: int = 0
    stale: int = 0
    surplus: int = 0
    newer: int = 0


async def held(stores: Stores, expected: Sequence[Expected]) -> dict[str, Held]:
    """Returns: what the index holds of these; one pass, constant memory for each."""
    by_id = {each.id: each for each in expected}
    found = {each.id: Held() for each in expected}
    body: dict[str, Any] = {
        "size": _ENTRIES,
        "version": True,
        "_source": ["document_id", "gpt_id", "run_id", "ordinal"],
        "query": {"terms": {"document_id": sorted(by_id)}},
        "sort": [{"document_id": "asc"}, {"ordinal": "asc"}],
    }
    while True:
        hits = (await stores.search.query(body))["hits"]["hits"]
        for hit in hits:
            source_id = hit["_source"]["document_id"]
            _count(found[source_id], by_id[source_id], hit)
        if len(hits) < _ENTRIES:
            return found
        body["search_after"] = hits[-1]["sort"]


def _count(found: Held, expected: Expected, hit: dict[str, Any]) -> None:
    entry = hit["_source"]
    ordinal = entry.get("ordinal", -1)
    if not 0 <= ordinal < expected.end or hit["_id"] != f"{expected.id}:{ordinal}":
        found.surplus += 1
    elif hit["_version"] > expected.version:
        found.newer += 1
    elif (hit["_version"], entry.get("run_id"), entry.get("gpt_id")) != (
        expected.version,
        expected.origin,
        expected.gpt_id,
    ):
        found.stale += 1
    else:
        found.good += 1


def judged(expected: Expected, found: Held) -> list[tuple[Kind, str]]:
    """Returns: how the entries differ from what they should be, with a sentence each."""
    kinds: list[tuple[Kind, str]] = []
    there = found.good + found.stale + found.newer
    if there < expected.count:
        detail = f"{expected.count - there} of {expected.count} are missing"
        kinds.append((Kind.ENTRIES_MISSING, detail))
    if found.stale or found.surplus:
        detail = f"{found.stale} entries of another version or origin, {found.surplus} surplus ones"
        kinds.append((Kind.ENTRIES_STALE, detail))
    if found.newer:
        detail = f"{found.newer} entries are newer than version {expected.version}"
        kinds.append((Kind.ENTRIES_NEWER, detail))
    return kinds


async def indexed(stores: Stores, look: Look, of: dict[str, Any]) -> AsyncIterator[list[str]]:
    """Yield the ids of all that has entries under this filter clause, in pages."""
    composite: dict[str, Any] = {
        "size": _SOURCES,
        "sources": [{"document_id": {"terms": {"field": "document_id"}}}],
    }
    only = [] if look.only is None else [{"terms": {"document_id": sorted(look.only)}}]
    body: dict[str, Any] = {
        "size": 0,
        "query": {"bool": {"filter": [of, *only]}},
        "aggs": {"sources": {"composite": composite}},
    }
    while True:
        found = (await stores.search.query(body))["aggregations"]["sources"]
        if ids := [bucket["key"]["document_id"] for bucket in found["buckets"]]:
            yield ids
        if len(ids) < _SOURCES:
            return
        composite["after"] = found["after_key"]


async def counted(stores: Stores, of: dict[str, Any]) -> int:
    """Returns: about how many have entries under this filter clause."""
    count = {"cardinality": {"field": "document_id"}}
    body = {"size": 0, "query": {"bool": {"filter": [of]}}, "aggs": {"sources": count}}
    answer = await stores.search.query(body)
    return int(answer["aggregations"]["sources"]["value"])
