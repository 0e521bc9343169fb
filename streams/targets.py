"""The indexes that entries are written to and deleted from: this is the one place that knows them.

The live index; the one of a rebuild that is under way; and the one that a rebuild has replaced,
until no search reads it any more. Reads rebuilds and the aliases. Writes OpenSearch.

Who writes a document or an object must have read its row before it calls anything here. Then
nothing is lost, however long it pauses in between: a rebuild enters its row before it reads the
first of them, so either it has seen the same version, or this writer sees the rebuild.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog
from sqlalchemy import select

from schemas.indexes import Vectors
from schemas.settings import ModelSettings
from schemas.states import WRITTEN_TOO
from schemas.tables import REBUILDS
from schemas.versions import DELETED_VERSION
from streams.clients.index_entries import IndexEntries
from streams.clients.opensearch import SearchIndex
from streams.clients.postgres import Database
from streams.entries import Content, entry_ids
from streams.errors import DependencyDown, RecordTrouble

log = structlog.get_logger()


class Embeds(Protocol):
    """Makes vectors of texts."""

    async def embed(
        self, texts: Sequence[str], *, model: str | None = None, record: str | None = None
    ) -> list[list[float]]:
        """Returns: one vector per text, made by this model; `record` names whose texts they are."""


@dataclass(frozen=True, slots=True)
class Target:
    """An index to write to, and what makes its vectors; None where nobody knows."""

    entries: IndexEntries
    vectors: Vectors | None


class Targets:
    """Writes documents and objects to all indexes that have to have them.

    By default it returns when a search finds what it did; with `refresh` as `false` it does not
    wait for that half a second, and those that were written just before are not seen by `put`: then
    `Content.most_held` has to count them.
    """

    def __init__(
        self, database: Database, search: SearchIndex, *, refresh: str = "wait_for"
    ) -> None:
        self._database = database
        self._search = search
        self._refresh = refresh
        self._known: dict[str, Vectors] = {}

    async def put(self, models: Embeds, content: Content) -> Vectors | None:
        """Write all entries everywhere, and delete all others of the same document or object there.

        Returns: what made the live index's vectors, if anything did.
        Raises: DependencyDown: a server is away, or an index is gone, and then the targets have
            changed: read the content again and repeat. RecordTrouble: of the model.
        """
        targets = await self._now()
        for part in content.parts():
            embedded: dict[Vectors, list[list[float]]] = {}
            for target in targets:
                vectors = target.vectors
                # Without its own vectors an entry is still found by its words.
                if vectors is not None and vectors.can_be_made and vectors not in embedded:
                    texts = [content.text(each) for each in part]
                    made = await models.embed(texts, model=vectors.model, record=content.id)
                    embedded[vectors] = _fitting(made, vectors)
                entries = content.entries(
                    part, vectors, None if vectors is None else embedded.get(vectors)
                )
                await target.entries.write(entries, version=content.version, refresh=self._refresh)
        for target in targets:
            await clear(target.entries, content, refresh=self._refresh)
        return targets[0].vectors

    async def forget(self, source_id: str, *, at_most: int = 0) -> None:
        """Delete all entries of a deleted document or object, for good.

        `at_most` covers, by their number, those that someone is about to write.

        Raises: DependencyDown: OpenSearch or Postgres is away.
        """
        for target in await self._now():
            await target.entries.refresh()
            gone = {*entry_ids(source_id, at_most), *await target.entries.ids(source_id)}
            await target.entries.delete(
                sorted(gone), version=DELETED_VERSION, refresh=self._refresh
            )

    async def _now(self) -> list[Target]:
        """Returns: the indexes to write to, the live one first.

        The table is read before the aliases: a rebuild moves the alias first and ends its row
        later, so that its index is in one or the other.
        """
        query = select(REBUILDS.c.index_name).where(REBUILDS.c.state.in_(WRITTEN_TOO))
        async with self._database.transaction() as connection:
            building = (await connection.execute(query)).scalars().all()
        live, retired = await self._search.written()
        if live is None:
            raise DependencyDown("opensearch", "no index is live; run `actionstream migrate`")
        names = dict.fromkeys((live, *building, *retired))
        return [Target(self._search.at(name), await self._vectors(name)) for name in names]

    async def _vectors(self, name: str) -> Vectors | None:
        if name not in self._known:
            vectors = await self._search.vectors(name)
            if vectors is None:
                return None
            self._known[name] = vectors
        return self._known[name]


def _fitting(made: list[list[float]], vectors: Vectors) -> list[list[float]]:
    """Returns: the vectors. Raises: RecordTrouble: they are not of the index's dimensions."""
    if any(len(each) != vectors.dimensions for each in made):
        detail = f"{vectors.model} answered with vectors of other than {vectors.dimensions} numbers"
        raise RecordTrouble("models", detail)
    return made


async def clear(entries: IndexEntries, content: Content, *, refresh: str) -> None:
    """Delete the entries that an index has of a document or object beside those of its content."""
    surplus = {*entry_ids(content.id, content.most_held), *await entries.ids(content.id)}
    await entries.delete(
        sorted(surplus.difference(content.ids)), version=content.version, refresh=refresh
    )


async def warn_of_another_model(search: SearchIndex, settings: ModelSettings) -> None:
    """Log an error if the live index's vectors are not what the settings ask for.

    Work goes on with the live index's own model, because vectors of two models never mix.
    """
    try:
        live, _ = await search.written()
        vectors = None if live is None else await search.vectors(live)
    except DependencyDown:
        return  # What waits for OpenSearch says so itself.
    wanted = Vectors(settings.embedding_model, settings.embedding_dimensions)
    if live is not None and vectors != wanted:
        log.error(
            "another embedding model",
            index=live,
            vectors=str(vectors),
            wanted=str(wanted),
            remedy="run `actionstream reindex`; until then the index keeps its own model",
        )
