"""Searches: by words, by meaning, or both, within what the caller may see."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from opensearchpy import AsyncOpenSearch, OpenSearchException, TransportError
from sqlalchemy import select

from gateway.database import Reader, Row
from gateway.deps import Principal
from gateway.errors import Unavailable
from gateway.highlights import passages, spans
from gateway.queries.scope import owned, owned_entries
from schemas.api.search import Facet, FacetCount, Group, Mode, SearchHit
from schemas.indexes import ALIAS, CANDIDATES, PIPELINE
from schemas.tables import DOCUMENTS

_SOURCE: Final = ("document_id", "version", "ordinal", "page", "start", "end", "content")
_FACET_VALUES: Final = 50
_BAD_REQUEST: Final = 400


@dataclass(frozen=True, slots=True)
class Search:
    """One search: what to look for, how, and which hits of the ranking."""

    q: str
    mode: Mode
    filters: tuple[dict[str, Any], ...]
    group: Group
    facets: tuple[Facet, ...]
    offset: int
    limit: int
    vector: tuple[float, ...] | None


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found; `more` tells whether the ranking goes on."""

    hits: list[SearchHit]
    facets: dict[str, list[FacetCount]]
    more: bool
    took_ms: int


async def run(
    client: AsyncOpenSearch, reader: Reader, principal: Principal, prefix: str, wanted: Search
) -> Found:
    """Returns: the hits that are current in Postgres, with passages.

    Raises:
        Unavailable: OpenSearch or Postgres is away.
    """
    opening, closing = (f"\ue000{secrets.token_hex(8)}\ue001" for _ in range(2))
    body = request_body(wanted, owned_entries(principal), opening, closing)
    answer = await _asked(client, prefix, body)
    ranked = answer["hits"]["hits"]
    rows = await _current(reader, principal, [hit["_source"] for hit in ranked[: wanted.limit]])
    return Found(
        hits=[
            _shown(hit, rows[hit["_source"]["document_id"]], opening, closing)
            for hit in ranked[: wanted.limit]
            if _is_current(hit, rows)
        ],
        facets=_counts(answer.get("aggregations", {})),
        more=len(ranked) > wanted.limit,
        took_ms=int(answer["took"]),
    )


async def _asked(client: AsyncOpenSearch, prefix: str, body: dict[str, Any]) -> dict[str, Any]:
    # Without the pipeline a hybrid query answers raw rows with nonsense scores, not an error.
    parameters = {"search_pipeline": prefix + PIPELINE}
    try:
        answer: dict[str, Any] = await client.search(
            index=prefix + ALIAS, body=body, params=parameters
        )
    except TransportError as error:
        if error.status_code == _BAD_REQUEST and "pagination_depth" in str(error.info):
            return {"hits": {"hits": []}, "took": 0}
        raise Unavailable("search cannot be reached; try again") from error
    except OpenSearchException as error:
        raise Unavailable("search cannot be reached; try again") from error
    return answer


def request_body(
    wanted: Search, scope: Sequence[dict[str, Any]], opening: str, closing: str
) -> dict[str, Any]:
    """Returns: the body of the search request; `scope` is what the caller may see."""
    words = _words(wanted.q)
    body: dict[str, Any] = {
        "from": wanted.offset,
        "size": wanted.limit + 1,
        "track_total_hits": False,
        "_source": list(_SOURCE),
        "query": _query(wanted, words, [*scope, *wanted.filters]),
        "highlight": {
            "pre_tags": [opening],
            "post_tags": [closing],
            "fields": {
                "content": {
                    "type": "unified",
                    "number_of_fragments": 0,
                    "highlight_query": {"match": {"content": wanted.q}},
                }
            },
        },
    }
    if wanted.group is Group.DOCUMENTS:
        body["collapse"] = {"field": "document_id"}
    if wanted.facets:
        body["aggs"] = {facet.value: _facet(facet, wanted.group) for facet in wanted.facets}
    return body


def _words(q: str) -> dict[str, Any]:
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


def _query(
    wanted: Search, words: dict[str, Any], clauses: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    allowed = {"bool": {"filter": list(clauses)}}
    if wanted.vector is None or wanted.mode is Mode.KEYWORD:
        return {"bool": {"must": [words], "filter": list(clauses)}}
    near: dict[str, Any] = {"vector": list(wanted.vector), "k": CANDIDATES}
    if wanted.mode is Mode.SEMANTIC:
        return {"knn": {"embedding": {**near, "filter": allowed}}}
    return {
        "hybrid": {
            "pagination_depth": CANDIDATES,
            "filter": allowed,
            "queries": [words, {"knn": {"embedding": near}}],
        }
    }


def _facet(facet: Facet, group: Group) -> dict[str, Any]:
    terms: dict[str, Any] = {"terms": {"field": facet.value, "size": _FACET_VALUES}}
    if group is Group.DOCUMENTS:
        # Counts are of chunks, before they are collapsed.
        terms["aggs"] = {"documents": {"cardinality": {"field": "document_id"}}}
    return terms


def _counts(aggregations: Mapping[str, Any]) -> dict[str, list[FacetCount]]:
    found = {}
    for name, aggregation in aggregations.items():
        counts = [_count(name, bucket) for bucket in aggregation["buckets"]]
        found[name] = sorted(counts, key=lambda one: -one.count)
    return found


def _count(name: str, bucket: Mapping[str, Any]) -> FacetCount:
    value = bool(bucket["key"]) if name == Facet.NEEDS_REVIEW else bucket["key"]
    documents = bucket.get("documents", {}).get("value", bucket["doc_count"])
    return FacetCount(value=value, count=documents)


async def _current(
    reader: Reader, principal: Principal, sources: Sequence[Mapping[str, Any]]
) -> dict[str, Row]:
    ids = {source["document_id"] for source in sources}
    if not ids:
        return {}
    columns = DOCUMENTS.c
    statement = select(
        columns.document_id,
        columns.indexed_version,
        columns.title,
        columns.filename,
        columns.type,
        columns.content_type,
        columns.status,
        columns.needs_review,
        columns.created_at,
    ).where(
        columns.document_id.in_(ids), columns.deleted_at.is_(None), *owned(DOCUMENTS, principal)
    )
    return {row["document_id"]: row for row in await reader.rows(statement)}


def _is_current(hit: Mapping[str, Any], rows: Mapping[str, Row]) -> bool:
    source = hit["_source"]
    row = rows.get(source["document_id"])
    # An entry may be ahead of the row for the moment between the index and the commit.
    return row is not None and source["version"] >= (row["indexed_version"] or 0)


def _shown(hit: Mapping[str, Any], row: Row, opening: str, closing: str) -> SearchHit:
    source = hit["_source"]
    [marked] = hit.get("highlight", {}).get("content", [""])
    return SearchHit(
        document_id=source["document_id"],
        score=max(0.0, float(hit["_score"] or 0.0)),
        title=row["title"],
        filename=row["filename"],
        type=row["type"],
        content_type=row["content_type"],
        status=row["status"],
        needs_review=row["needs_review"],
        created_at=row["created_at"],
        ordinal=source["ordinal"],
        page=source["page"],
        start=source["start"],
        end=source["end"],
        highlights=passages(
            source["content"], spans(marked, opening, closing), source["page"], source["start"]
        ),
    )
