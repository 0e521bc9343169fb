"""The bodies of search requests: what is ranked, by what, within which filter."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from schemas.api.search import Facet, Group, Mode
from schemas.indexes import CANDIDATES, Kind

Json = dict[str, Any]

_SOURCE: Final = (
    "kind",
    "document_id",
    "version",
    "title",
    "ordinal",
    "page",
    "start",
    "end",
    "content",
)
_FACET_VALUES: Final = 50
_CLAUSES: Final = 2
_SHARDS: Final = 16
"""For how many shards all candidates are asked for; each contributes some of each clause."""


@dataclass(frozen=True, slots=True)
class Search:
    """One search: what to look for, how, and which hits of the ranking.

    `filters` say where to look, and what must hold of what is found there.
    """

    q: str
    mode: Mode
    filters: tuple[Json, ...]
    group: Group
    facets: tuple[Facet, ...]
    offset: int
    limit: int
    vector: tuple[float, ...] | None

    @property
    def grouped_here(self) -> bool:
        """Whether hits are grouped by document or object in this process.

        OpenSearch 3.6 loses one group a shard when it collapses a hybrid query, of any rank.
        """
        return self.mode is Mode.HYBRID and self.group is Group.DOCUMENTS


@dataclass(frozen=True, slots=True)
class Markers:
    """What stands around each matched word; random, so that no document holds them."""

    opening: str
    closing: str


def page_body(wanted: Search, scope: Sequence[Json], markers: Markers) -> Json:
    """Returns: the request for a page of hits with their texts, and one hit more."""
    body = {
        "from": wanted.offset,
        "size": wanted.limit + 1,
        "query": _query(wanted, [*scope, *wanted.filters]),
        **_shown(wanted, markers),
    }
    if wanted.group is Group.DOCUMENTS:
        body["collapse"] = {"field": "document_id"}
    return body | _aggregations(wanted)


def candidates_body(wanted: Search, scope: Sequence[Json]) -> Json:
    """Returns: the request for what all candidates are of, best first, without their texts."""
    return {
        "size": CANDIDATES * _CLAUSES * _SHARDS,
        "track_total_hits": False,
        "_source": ["document_id"],
        "query": _query(wanted, [*scope, *wanted.filters]),
    } | _aggregations(wanted)


def entries_body(
    wanted: Search, scope: Sequence[Json], ids: Sequence[str], markers: Markers
) -> Json:
    """Returns: the request for the texts of these entries, in any order."""
    return {
        "size": len(ids),
        "query": {"bool": {"filter": [{"ids": {"values": list(ids)}}, *scope]}},
        **_shown(wanted, markers),
    }


def _shown(wanted: Search, markers: Markers) -> Json:
    words = {"match": {"content": wanted.q}}
    whole = {"type": "unified", "number_of_fragments": 0, "highlight_query": words}
    return {
        "track_total_hits": False,
        "_source": list(_SOURCE),
        "highlight": {
            "pre_tags": [markers.opening],
            "post_tags": [markers.closing],
            "fields": {"content": whole},
        },
    }


def _words(q: str) -> Json:
    """Returns: the clause that ranks by words: those of the text, and a little the title's."""
    return {
        "bool": {
            "should": [
                {"match": {"content": {"query": q}}},
                {"match": {"title": {"query": q, "boost": 0.3}}},
            ],
            "minimum_should_match": 1,
        }
    }


def _query(wanted: Search, clauses: Sequence[Json]) -> Json:
    words, allowed = _words(wanted.q), {"bool": {"filter": list(clauses)}}
    if wanted.vector is None or wanted.mode is Mode.KEYWORD:
        return {"bool": {"must": [words], "filter": list(clauses)}}
    near: Json = {"vector": list(wanted.vector), "k": CANDIDATES}
    if wanted.mode is Mode.SEMANTIC:
        return {"knn": {"embedding": {**near, "filter": allowed}}}
    return {
        "hybrid": {
            "pagination_depth": CANDIDATES,
            "filter": allowed,
            "queries": [words, {"knn": {"embedding": near}}],
        }
    }


def _aggregations(wanted: Search) -> Json:
    if not wanted.facets:
        return {}
    return {"aggs": {facet.value: _facet(facet, wanted.group) for facet in wanted.facets}}


def _facet(facet: Facet, group: Group) -> Json:
    terms: Json = {"terms": {"field": facet.value, "size": _FACET_VALUES}}
    if facet is Facet.KIND:
        # Entries that an older release has written do not say that they are of documents.
        terms["terms"]["missing"] = Kind.DOCUMENT
    if group is Group.DOCUMENTS:
        # Counts are of chunks, before they are collapsed.
        terms["aggs"] = {"documents": {"cardinality": {"field": "document_id"}}}
    return terms
