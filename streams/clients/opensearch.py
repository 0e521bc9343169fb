"""OpenSearch: the indexes of chunks, of which one is live, and each one's entries."""

from typing import Any

from opensearchpy import AsyncOpenSearch
from opensearchpy.exceptions import RequestError, TransportError

from schemas import indexes
from schemas.indexes import Vectors
from schemas.settings import SearchSettings
from streams.clients.index_entries import IndexEntries, passing
from streams.errors import DependencyDown


class SearchIndex:
    """The indexes of one installation: the live one has the alias `alias`."""

    def __init__(self, client: AsyncOpenSearch, *, name_prefix: str) -> None:
        self._client = client
        self.prefix = name_prefix
        self.alias = name_prefix + indexes.ALIAS
        self._retired = name_prefix + indexes.RETIRED

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

    def at(self, name: str) -> IndexEntries:
        """Returns: the entries of the index of this name."""
        return IndexEntries(self._client, name)

    async def query(self, body: dict[str, Any]) -> dict[str, Any]:
        """Returns: OpenSearch's answer to a search of the live index.

        Raises: DependencyDown: OpenSearch is away, or no index is live.
        """
        with passing():
            answer: dict[str, Any] = await self._client.search(index=self.alias, body=body)
        return answer

    async def prepare(self, model: str, dimensions: int, *, replicas: int = 0) -> str:
        """Create the search pipeline, and an index if none is live. Returns: the live one's name.

        A live index stays, whatever made its vectors: another one is for `actionstream reindex`.
        All indexes are given the fields that those of an older release lack.

        Raises: DependencyDown: OpenSearch is away.
        """
        vectors = Vectors(model, dimensions)
        first = self.prefix + indexes.index_name(model, dimensions)
        with passing():
            await self._client.transport.perform_request(
                "PUT",
                f"/_search/pipeline/{self.prefix}{indexes.PIPELINE}",
                body=indexes.pipeline_body(),
            )
        live, _ = await self.written()
        if live is None:
            await self.create(first, vectors, replicas=replicas)
            with passing():
                await self._client.indices.put_alias(index=first, name=self.alias)
        elif live == first:
            await self._complete(live, vectors)
        with passing():
            await self._client.indices.put_mapping(
                index=f"{self.alias}-v*", body={"properties": dict(indexes.ADDED)}
            )
        return live or first

    async def _complete(self, name: str, vectors: Vectors) -> None:
        """Give an index what those made before had not: its own alias, and what made its vectors.

        Its name tells that these are the vectors, because nothing else is indexed under it.
        """
        with passing():
            await self._client.indices.put_alias(index=name, name=indexes.write_alias(name))
            if await self.vectors(name) is None:
                await self._client.indices.put_mapping(index=name, body={"_meta": vectors.meta()})

    async def create(
        self, name: str, vectors: Vectors, *, shards: int = 2, replicas: int = 0
    ) -> None:
        """Create an index that nobody searches yet; one that exists stays as it is.

        Raises: DependencyDown: OpenSearch is away.
        """
        body = indexes.index_body(vectors, shards=shards, replicas=replicas)
        body["aliases"] = {indexes.write_alias(name): {}}
        try:
            with passing():
                await self._client.indices.create(index=name, body=body)
        except RequestError as error:
            if error.error != "resource_already_exists_exception":
                raise

    async def written(self) -> tuple[str | None, list[str]]:
        """Returns: the live index, and those that it has replaced but that may still be read.

        Raises: DependencyDown: OpenSearch is away.
        """
        with passing():
            found = await self._client.indices.get_alias(
                index=f"{self.alias},{self._retired}", ignore_unavailable=True
            )
        live = [name for name, index in found.items() if self.alias in index["aliases"]]
        return next(iter(live), None), sorted(set(found) - set(live))

    async def names(self) -> list[str]:
        """Returns: all indexes of this installation, live or not."""
        with passing():
            found = await self._client.indices.get(index=f"{self.alias}-v*")
        return sorted(found)

    async def vectors(self, name: str) -> Vectors | None:
        """Returns: what made an index's vectors; None where an older release has not noted it.

        Raises: DependencyDown: OpenSearch is away, or there is no such index.
        """
        with passing():
            answer = await self._client.indices.get_mapping(index=name)
        return Vectors.of(answer[name]["mappings"])

    async def shape(self, name: str) -> tuple[int, int]:
        """Returns: the numbers of shards and of replicas of an index."""
        with passing():
            answer = await self._client.indices.get_settings(index=name)
        settings = answer[name]["settings"]["index"]
        return int(settings["number_of_shards"]), int(settings["number_of_replicas"])

    async def swap(self, old: str, new: str) -> None:
        """Make `new` live and `old` retired, in one step that no search can come between."""
        actions = [
            {"remove": {"index": old, "alias": self.alias}},
            {"add": {"index": old, "alias": self._retired}},
            {"add": {"index": new, "alias": self.alias}},
        ]
        with passing():
            await self._client.indices.update_aliases(body={"actions": actions})

    async def drop(self, name: str) -> None:
        """Delete an index, if there is one of this name."""
        with passing():
            await self._client.indices.delete(index=name, ignore_unavailable=True)

    async def set_aside(self, name: str) -> None:
        """Keep a retired index as it is: nothing is written to it or read from it any more."""
        with passing():
            await self._client.indices.delete_alias(index=name, name=self._retired)

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
