"""Which index is live, and what made its vectors: a search goes by both or by neither.

Asked of OpenSearch at most every few seconds; a rebuild keeps the index that it has replaced up for
longer than that.
"""

import time
from dataclasses import dataclass

import structlog
from opensearchpy import AsyncOpenSearch, OpenSearchException

from gateway.errors import Unavailable
from gateway.settings import GatewaySettings
from schemas.indexes import ALIAS, LIVE_KNOWN_S, Vectors

_AWAY = "search cannot be reached; try again"
_log = structlog.get_logger("gateway.live_index")


@dataclass(frozen=True, slots=True)
class Live:
    """The live index's own name, and its vectors; None where an older release has not noted it."""

    name: str
    vectors: Vectors | None


class LiveIndex:
    """Knows the live index."""

    def __init__(self, settings: GatewaySettings, client: AsyncOpenSearch) -> None:
        self._alias = settings.index_prefix + ALIAS
        self._wanted = Vectors(settings.embedding_model, settings.embedding_dimensions)
        self._client = client
        self._known: Live | None = None
        self._until = 0.0

    async def now(self) -> Live:
        """Returns: the live index.

        Raises:
            Unavailable: OpenSearch is away, or no index is live.
        """
        known = self._known
        if known is not None and time.monotonic() < self._until:
            return known
        # The searches that come while this one asks go by what was known once more.
        self._until = time.monotonic() + LIVE_KNOWN_S
        found = await self._ask()
        if found != known:
            self._tell(found)
        self._known = found
        return found

    def forget(self) -> None:
        """Ask again before the next search: the index known as live is gone."""
        self._known = None

    async def _ask(self) -> Live:
        try:
            answer = await self._client.indices.get_mapping(index=self._alias)
        except OpenSearchException as error:
            self._known = None
            raise Unavailable(_AWAY) from error
        [(name, index)] = answer.items()
        return Live(name, Vectors.of(index["mappings"]))

    def _tell(self, found: Live) -> None:
        """Log what is live, as an error where it is not what the settings ask for."""
        if found.vectors == self._wanted:
            _log.info("live index", index=found.name)
            return
        _log.error(
            "another embedding model",
            index=found.name,
            vectors=str(found.vectors),
            wanted=str(self._wanted),
            remedy="run `actionstream reindex`; until then queries go by the index's own model, "
            "or by words where that cannot be had",
        )
