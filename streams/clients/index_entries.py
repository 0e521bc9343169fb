"""The entries of one index: written under external versions, so that the newest always stays.

They are written by an alias that the index alone bears, and read by its own name: whoever goes by
what was true a while ago meets an index that is gone, never another one.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from opensearchpy import AsyncOpenSearch
from opensearchpy.exceptions import (
    ConnectionError as SearchConnectionError,
)
from opensearchpy.exceptions import NotFoundError, TransportError
from opensearchpy.helpers import async_bulk

from schemas import indexes
from streams.errors import DependencyDown

_NAME: Final = "opensearch"
_GONE: Final = "index_not_found_exception"
_BLOCKED: Final = "cluster_block_exception"
_MISSING: Final = "an index is missing; if it stays so, run `actionstream migrate`"
_CONFLICT: Final = 409
_NOT_FOUND: Final = 404
_PAGE: Final = 10_000
_PASSING: Final = frozenset({"N/A", 408, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Held:
    """What an index holds of a document or object: how many entries, and what they say they are.

    There are two `origins` where there are two or more.
    """

    count: int
    lowest_version: int
    highest_version: int
    last_ordinal: int
    origins: frozenset[str]


class IndexEntries:
    """The entries of one index."""

    def __init__(self, client: AsyncOpenSearch, name: str) -> None:
        self._client = client
        self.name = name

    async def write(
        self,
        entries: Iterable[tuple[str, dict[str, Any]]],
        *,
        version: int | None = None,
        refresh: str = "wait_for",
    ) -> None:
        """Write entries, each `(id, body)`, and return when a search finds them.

        An entry of a newer version stays as it is; `version` is each body's own if absent. With
        `refresh` as `false` it is for the caller to call `refresh`.

        Raises: DependencyDown: OpenSearch is away, or the index is gone.
        """
        await self._bulk(
            [
                {
                    "_op_type": "index",
                    "_id": entry_id,
                    "_source": body,
                    "version": body["version"] if version is None else version,
                }
                for entry_id, body in entries
            ],
            refresh=refresh,
        )

    async def delete(
        self, entry_ids: Sequence[str], *, version: int, refresh: str = "wait_for"
    ) -> None:
        """Delete entries, and return when no search finds them.

        They leave tombstones of this version, which older writes cannot pass.

        Raises: DependencyDown: OpenSearch is away, or the index is gone.
        """
        await self._bulk(
            [{"_op_type": "delete", "_id": entry_id, "version": version} for entry_id in entry_ids],
            refresh=refresh,
        )

    async def _bulk(self, actions: list[dict[str, Any]], *, refresh: str) -> None:
        if not actions:
            return
        place = {"_index": indexes.write_alias(self.name), "version_type": "external_gte"}
        with passing():
            _, errors = await async_bulk(
                self._client,
                [action | place for action in actions],
                chunk_size=200,
                raise_on_error=False,
                refresh=refresh,
                require_alias=True,
            )
        for item in errors:
            [(_, details)] = item.items()
            reason = details.get("error")
            if isinstance(reason, dict) and reason.get("type") == _GONE:
                raise DependencyDown(_NAME, f"the index {self.name} is gone")
            if isinstance(reason, dict) and reason.get("type") == _BLOCKED:
                raise DependencyDown(_NAME, _blocked(reason))
            if details["status"] in {_CONFLICT, _NOT_FOUND}:
                continue
            if details["status"] in _PASSING:
                raise DependencyDown(_NAME, f"bulk item: {details['status']}")
            message = f"OpenSearch refused an entry: {details['status']} {reason}"
            raise RuntimeError(message)

    async def refresh(self) -> None:
        """Return when a search finds all that was written before."""
        with passing():
            await self._client.indices.refresh(index=self.name)

    async def ids(self, document_id: str) -> list[str]:
        """Returns: the ids of a document's or object's entries that a search finds now.

        Raises: DependencyDown: OpenSearch is away, or the index is gone.
        """
        found: list[str] = []
        after: list[Any] = []
        while True:
            body = {
                "size": _PAGE,
                "_source": False,
                "query": {"term": {"document_id": document_id}},
                "sort": [{"ordinal": "asc"}],
                **({"search_after": after} if after else {}),
            }
            with passing():
                answer = await self._client.search(index=self.name, body=body)
            hits = answer["hits"]["hits"]
            found.extend(hit["_id"] for hit in hits)
            if len(hits) < _PAGE:
                return found
            after = hits[-1]["sort"]

    async def held(self, document_ids: Sequence[str]) -> dict[str, Held]:
        """Returns: what a search finds now of each of these documents or objects that has entries.

        Raises: DependencyDown: OpenSearch is away, or the index is gone.
        """
        figures = {
            "lowest": {"min": {"field": "version"}},
            "highest": {"max": {"field": "version"}},
            "last": {"max": {"field": "ordinal"}},
            "origins": {"terms": {"field": "run_id", "size": 2}},
        }
        terms = {"field": "document_id", "size": max(len(document_ids), 1)}
        body = {
            "size": 0,
            "query": {"terms": {"document_id": list(document_ids)}},
            "aggs": {"documents": {"terms": terms, "aggs": figures}},
        }
        with passing():
            answer = await self._client.search(index=self.name, body=body)
        return {
            bucket["key"]: Held(
                bucket["doc_count"],
                int(bucket["lowest"]["value"]),
                int(bucket["highest"]["value"]),
                int(bucket["last"]["value"]),
                frozenset(origin["key"] for origin in bucket["origins"]["buckets"]),
            )
            for bucket in answer["aggregations"]["documents"]["buckets"]
        }


@contextmanager
def passing() -> Iterator[None]:
    """Raises: DependencyDown: OpenSearch was away, overloaded, full, or lacked the index named."""
    try:
        yield
    except NotFoundError as error:
        raise DependencyDown(_NAME, _MISSING) from error
    except TransportError as error:
        if error.error == _BLOCKED:
            raise DependencyDown(_NAME, _blocked(error.info.get("error", {}))) from error
        if isinstance(error, SearchConnectionError) or error.status_code in _PASSING:
            raise DependencyDown(_NAME, type(error).__name__) from error
        raise


def _blocked(error: dict[str, Any]) -> str:
    reason = str(error.get("reason", "no reason given"))
    full = "flood-stage" in reason or "disk" in reason
    return f"{'its disk is full' if full else 'the index is blocked'}: {reason}"
