"""Vectors of search queries, from an Ollama API; without one, search goes by words."""

from collections import OrderedDict
from typing import Final

import httpx
import structlog
from ollama import AsyncClient, ResponseError

from gateway.breaker import Breaker
from gateway.settings import GatewaySettings
from schemas.embedding_text import prepare
from schemas.indexes import Vectors

_CACHED: Final = 2048
_FAILURES: Final = 2
_PAUSE_S: Final = 5.0
_MAX_CHARS: Final = 2000
_FAULTS = (ResponseError, httpx.HTTPError, ConnectionError, TimeoutError, ValueError)
_log = structlog.get_logger("gateway.embedder")


class MissingModel(LookupError):
    """The model server does not have the embedding model; the text says how it is had."""


class Embedder:
    """The client, a cache of its answers, and a breaker: an outage costs few searches their time.

    `model` is that of the index that was searched last. `breaker` is open while the model server
    is taken to be away.
    """

    def __init__(self, settings: GatewaySettings, client: AsyncClient | None = None) -> None:
        self.model = settings.embedding_model
        timeout_s = settings.embed_timeout.total_seconds()
        self._client = client or AsyncClient(host=settings.ollama_url, timeout=timeout_s)
        self._cache: OrderedDict[tuple[Vectors, str], list[float]] = OrderedDict()
        self.breaker = Breaker(failures=_FAILURES, pause_s=_PAUSE_S)

    async def embed(self, query: str, vectors: Vectors) -> list[float] | None:
        """Returns: the query's vector, made as those of an index.

        None where the model server is away or answers oddly, or where they cannot be made here.

        Source: Ollama HTTP API, POST /api/embed.
        """
        prepared = prepare(query)[:_MAX_CHARS]
        if not prepared or not vectors.can_be_made:
            return None
        place = vectors, prepared
        if (known := self._cache.get(place)) is not None:
            self._cache.move_to_end(place)
            return known
        if vectors.model != self.model:
            self.model = vectors.model
            self.breaker = Breaker(failures=_FAILURES, pause_s=_PAUSE_S)
        if not self.breaker.admits():
            return None
        vector = await self._ask(prepared, vectors)
        if vector is not None:
            self._cache[place] = vector
            if len(self._cache) > _CACHED:
                self._cache.popitem(last=False)
        return vector

    async def ping(self) -> None:
        """Ask for the list of models.

        Raises:
            ResponseError, httpx.HTTPError, ConnectionError: the server does not answer.
            MissingModel: it does not have the embedding model.
        """
        models = {model.model or "" for model in (await self._client.list()).models}
        wanted = self.model
        if not {wanted, f"{wanted}:latest", wanted.removesuffix(":latest")} & models:
            raise MissingModel(
                f"the model {wanted} is missing; run `ollama pull {wanted}` where the model server "
                "runs"
            )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()  # type: ignore[no-untyped-call]

    async def _ask(self, prepared: str, vectors: Vectors) -> list[float] | None:
        try:
            answer = await self._client.embed(model=vectors.model, input=prepared, truncate=True)
            vector = [float(number) for number in answer.embeddings[0]]
            if len(vector) != vectors.dimensions or not any(vector):
                raise ValueError(f"{len(vector)} dimensions instead of {vectors.dimensions}")
        except (*_FAULTS, IndexError) as error:
            self.breaker.failed(_reason(error))
            _log.warning("no query vector, searching by words", error=str(error)[:200])
            return None
        self.breaker.succeeded()
        return vector


def _reason(error: Exception) -> str:
    """Returns: what went wrong, without the addresses that the client's texts may have."""
    if isinstance(error, ResponseError):
        return f"it answered with status {error.status_code}"
    if isinstance(error, (TimeoutError, httpx.TimeoutException)):
        return "it did not answer in time"
    if isinstance(error, (ConnectionError, httpx.TransportError)):
        return "the model server does not answer"
    return "its answer is not a usable vector"
