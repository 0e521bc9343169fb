"""OpenSearch: writing chunk entries under external versions, so that the newest always stays."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from opensearchpy import AsyncOpenSearch
from opensearchpy.exceptions import (
    ConnectionError as SearchConnectionError,
)
from opensearchpy.exceptions import (
    NotFoundError,
    RequestError,
    TransportError,
)
from opensearchpy.helpers import async_bulk

from schemas import indexes
from schemas.settings import SearchSettings
from streams.errors import DependencyDown

_CONFLICT: Final = 409
_NOT_FOUND: Final = 404
_PAGE: Final = 10_000
_PASSING: Final = frozenset({"N/A", 408, 429, 500, 502, 503, 504})


class SearchIndex:
    """The index of document chunks, written through its alias."""

    def __init__(self, client: AsyncOpenSearch, *, name_prefix: str) -> None:
        self._client = client
        self._prefix = name_prefix
        self.alias = name_prefix + indexes.ALIAS

    @classmethod
    def connect(cls, settings: SearchSettings) -> "SearchIndex":
        """Returns: the index; a connection is opened when it is first needed."""
        password = settings.opensearch_password
        auth = (
            (settings.opensearch_username, password.get_secret_value())
            if settings.opensearch_username and password
            else None
        )
        client = AsyncOpenSearch(
            hosts=[settings.opensearch_url],
            http_auth=auth,
            ca_certs=settings.opensearch_ca_file,
            timeout=60,
            maxsize=32,
            max_retries=0,
        )
        return cls(client, name_prefix=settings.index_prefix)

    async def prepare(self, model: str, dimensions: int, *, replicas: int = 0) -> str:
        """Create index, alias and search pipeline where missing. Returns: the index's name.

        Raises: DependencyDown: OpenSearch is away.
        """
        name = self._prefix + indexes.index_name(model, dimensions)
        try:
            await self._client.transport.perform_request(
                "PUT",
                f"/_search/pipeline/{self._prefix}{indexes.PIPELINE}",
                body=indexes.pipeline_body(),
            )
            if not await self._client.indices.exists(index=name):
                body = indexes.index_body(dimensions, replicas=replicas)
                await self._client.indices.create(index=name, body=body)
            if not await self._client.indices.exists_alias(name=self.alias):
                await self._client.indices.put_alias(index=name, name=self.alias)
        except RequestError as error:
            if error.error != "resource_already_exists_exception":
                raise
        except TransportError as error:
            _raise_if_passing(error)
            raise
        return name

    async def write(self, entries: Iterable[tuple[str, dict[str, Any]]], *, version: int) -> None:
        """Write entries, each `(id, body)`, and return when a search finds them.

        An entry of a newer version stays as it is.

        Raises: DependencyDown: OpenSearch is away.
        """
        actions = [
            {
                "_op_type": "index",
                "_index": self.alias,
                "_id": entry_id,
                "version": version,
                "version_type": "external_gte",
                "_source": body,
            }
            for entry_id, body in entries
        ]
        await self._bulk(actions)

    async def delete(self, entry_ids: Sequence[str], *, version: int) -> None:
        """Delete entries, and return when no search finds them.

        They leave tombstones of this version, which older writes cannot pass.

        Raises: DependencyDown: OpenSearch is away.
        """
        actions = [
            {
                "_op_type": "delete",
                "_index": self.alias,
                "_id": entry_id,
                "version": version,
                "version_type": "external_gte",
            }
            for entry_id in entry_ids
        ]
        await self._bulk(actions)

    async def _bulk(self, actions: list[dict[str, Any]]) -> None:
        if not actions:
            return
        try:
            _, errors = await async_bulk(
                self._client, actions, chunk_size=200, raise_on_error=False, refresh="wait_for"
            )
        except TransportError as error:
            _raise_if_passing(error)
            raise
        for item in errors:
            [(_, details)] = item.items()
            if details["status"] in {_CONFLICT, _NOT_FOUND}:
                continue
            if details["status"] in _PASSING:
                raise DependencyDown("opensearch", f"bulk item: {details['status']}")
            reason = details.get("error")
            message = f"OpenSearch refused an entry: {details['status']} {reason}"
            raise RuntimeError(message)

    async def ids(self, document_id: str) -> list[str]:
        """Returns: the ids of a document's entries that a search finds now.

        Raises: DependencyDown: OpenSearch is away.
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
            try:
                answer = await self._client.search(index=self.alias, body=body)
            except NotFoundError:
                return found
            except TransportError as error:
                _raise_if_passing(error)
                raise
            hits = answer["hits"]["hits"]
            found.extend(hit["_id"] for hit in hits)
            if len(hits) < _PAGE:
                return found
            after = hits[-1]["sort"]

    async def ping(self) -> None:
        """Raises: DependencyDown: OpenSearch does not answer, or is red."""
        try:
            health = await self._client.cluster.health()
        except TransportError as error:
            raise DependencyDown("opensearch", type(error).__name__) from error
        if health["status"] == "red":
            raise DependencyDown("opensearch", "the cluster's state is red")

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()


def _raise_if_passing(error: TransportError) -> None:
    if isinstance(error, SearchConnectionError) or error.status_code in _PASSING:
        raise DependencyDown("opensearch", type(error).__name__) from error
