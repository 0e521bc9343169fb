"""Searches: by words, by meaning, or both, within what the caller may see."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from opensearchpy import AsyncOpenSearch, NotFoundError, OpenSearchException, TransportError

from gateway.database import Reader
from gateway.errors import Unavailable
from gateway.principal import Principal
from gateway.queries.hits import Hit, current
from gateway.queries.rankings import Markers, Search, candidates_body, entries_body, page_body
from gateway.queries.scope import owned_entries
from schemas.api.search import Facet, FacetCount
from schemas.indexes import PIPELINE

Json = dict[str, Any]

_AWAY: Final = "search cannot be reached; try again"
_BAD_REQUEST: Final = 400
_SERVER_ERROR: Final = 500
_TRIES: Final = 3


class IndexGone(Exception):
    """The index is no longer there: a rebuild has put another one in its place."""


@dataclass(frozen=True, slots=True)
class Place:
    """What is searched: the live index by its own name, and the pipeline of hybrid queries.

    Not by the alias, which may pass to an index of another model after the query was embedded.
    """

    index: str
    pipeline: str

    @classmethod
    def of(cls, index: str, prefix: str) -> "Place":
        """Returns: the place of an index of the installation with this prefix."""
        return cls(index, prefix + PIPELINE)


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found; `more` tells whether the ranking goes on."""

    hits: list[Hit]
    facets: dict[str, list[FacetCount]]
    more: bool
    took_ms: int


@dataclass(frozen=True, slots=True)
class _Ranked:
    """A page of hits as OpenSearch answers them, one more where there is one."""

    hits: list[Json]
    aggregations: Json
    took_ms: int


async def run(
    client: AsyncOpenSearch, reader: Reader, principal: Principal, place: Place, wanted: Search
) -> Found:
    """Returns: the hits that are current in Postgres, with passages.

    Raises:
        Unavailable: OpenSearch or Postgres is away.
        IndexGone: there is no such index any more.
    """
    markers = Markers(*(f"\ue000{secrets.token_hex(8)}\ue001" for _ in range(2)))
    asking = _Asking(client, place, owned_entries(principal), markers)
    ranked = await (asking.grouped(wanted) if wanted.grouped_here else asking.page(wanted))
    return Found(
        hits=await current(reader, principal, ranked.hits[: wanted.limit], markers),
        facets=_counts(ranked.aggregations),
        more=len(ranked.hits) > wanted.limit,
        took_ms=ranked.took_ms,
    )


@dataclass(frozen=True, slots=True)
class _Asking:
    """Asks OpenSearch, within what the caller may see."""

    client: AsyncOpenSearch
    place: Place
    scope: list[Json]
    markers: Markers

    async def page(self, wanted: Search) -> _Ranked:
        """Returns: the page that OpenSearch itself cuts."""
        answer = await self._ask(page_body(wanted, self.scope, self.markers))
        return _Ranked(answer["hits"]["hits"], answer.get("aggregations", {}), int(answer["took"]))

    async def grouped(self, wanted: Search) -> _Ranked:
        """Returns: the page of documents and objects, each by its best entry, of all candidates."""
        found = await self._ask(candidates_body(wanted, self.scope))
        best: dict[str, Json] = {}
        for hit in found["hits"]["hits"]:
            best.setdefault(hit["_source"]["document_id"], hit)
        chosen = list(best.values())[wanted.offset : wanted.offset + wanted.limit + 1]
        ids = [hit["_id"] for hit in chosen]
        whole: dict[str, Json] = {}
        took_ms = int(found["took"])
        if ids:
            answer = await self._ask(entries_body(wanted, self.scope, ids, self.markers))
            whole = {hit["_id"]: hit for hit in answer["hits"]["hits"]}
            took_ms += int(answer["took"])
        # An entry may have gone between the two; it is dropped as it would be later on.
        hits = [
            {**whole[hit["_id"]], "_score": hit["_score"]} for hit in chosen if hit["_id"] in whole
        ]
        return _Ranked(hits, found.get("aggregations", {}), took_ms)

    async def _ask(self, body: Json) -> Json:
        for _ in range(_TRIES):
            try:
                return await self._ask_once(body)
            except NotFoundError as error:
                raise IndexGone from error
            except TransportError as error:
                # OpenSearch refuses a page behind the last candidate, instead of answering none.
                if error.status_code == _BAD_REQUEST and "pagination_depth" in str(error.info):
                    return {"hits": {"hits": []}, "took": 0}
                # Its pipeline now and then meets results that another thread has merged already
                # ("topDocs already consumed"); the same query then works.
                if error.status_code != _SERVER_ERROR:
                    raise Unavailable(_AWAY) from error
            except OpenSearchException as error:
                raise Unavailable(_AWAY) from error
        raise Unavailable(_AWAY)

    async def _ask_once(self, body: Json) -> Json:
        # Without the pipeline a hybrid query answers raw rows with nonsense scores, not an error.
        hybrid = "hybrid" in body["query"]
        parameters = {"search_pipeline": self.place.pipeline} if hybrid else {}
        answer: Json = await self.client.search(
            index=self.place.index, body=body, params=parameters
        )
        return answer


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
