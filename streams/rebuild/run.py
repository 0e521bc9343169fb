"""A rebuild of the search index, from its start or from where it was left, to the swap.

It takes all documents, then all objects. Its row is entered before the first is read, and from then
on every write and delete of the workers goes to its index too (`streams/targets.py` says why none
is lost). The walk brings over what was there before. Two more sweeps, before and after the swap,
write nothing if all went well. Reads and writes rebuilds; writes OpenSearch.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, Protocol, TypeVar

from sqlalchemy import func

from schemas.indexes import LIVE_KNOWN_S, Vectors, index_name, revision_of
from schemas.states import RebuildState
from streams.clients.opensearch import SearchIndex
from streams.clients.postgres import Alone, Database
from streams.errors import DependencyDown, RecordTrouble
from streams.rebuild import rows
from streams.rebuild.rows import Rebuild
from streams.rebuild.sweep import Sweep
from streams.sources import sources
from streams.targets import Embeds

T = TypeVar("T")

_ATTEMPTS: Final = 5
_PAUSE_S: Final = 1.0
_LOST: Final = (
    "the connection that keeps other rebuilds away was lost; run `actionstream reindex` again, "
    "it goes on where it stopped"
)


class RebuildRefused(Exception):
    """The rebuild cannot be done as things are; the text says what to do."""


class Progress(Protocol):
    """Shows how far a rebuild is."""

    def show(self, doing: str, done: int, total: int) -> None:
        """Show how many documents and objects have been seen."""

    def say(self, line: str) -> None:
        """Say something once."""


@dataclass(frozen=True, slots=True)
class Reindex:
    """Rebuilds the index so that its vectors are `wanted`.

    `grace_s` is how long the old index is kept up after the swap, for searches that know no better.
    What was passed is noted after every `page` of documents or objects.
    """

    database: Database
    search: SearchIndex
    models: Embeds
    wanted: Vectors
    progress: Progress
    grace_s: float = 3 * LIVE_KNOWN_S
    page: int = 100

    async def run(self, *, keep: bool = False) -> str:
        """Rebuild, or go on with the rebuild that was left. Returns: the name of the live index.

        Args:
            keep: whether the old index stays, unused.

        Raises:
            RebuildRefused: another process is at it, or settings do not fit what was begun.
            RecordTrouble: some text cannot be embedded.
            DependencyDown: a server was away at the start; later on it is waited for.
        """
        async with self._alone() as hold:
            await self._check_model()
            rebuild = await self._left() or await self._begun()
            if rebuild.state is RebuildState.BUILDING:
                await self._walk(hold, rebuild)
                await self._note(rebuild, state=RebuildState.CATCHING_UP)
            await self._catch_up(hold, rebuild, "checking")
            await self._patiently(partial(self._swap, hold, rebuild))
            await asyncio.sleep(self.grace_s)
            await self._catch_up(hold, rebuild, "checking again")
            await self._patiently(partial(self._leave_old, keep=keep))
            await self._end(rebuild, RebuildState.DONE)
            return rebuild.index_name

    async def abort(self) -> str | None:
        """Give up the rebuild that was left. Returns: the index that is gone, if there was one.

        Raises: RebuildRefused: another process is at it, or its index is live already.
        """
        async with self._alone():
            rebuild = await rows.unfinished(self.database)
            if rebuild is None:
                return None
            live, _ = await self.search.written()
            if live == rebuild.index_name:
                raise RebuildRefused(
                    f"{live} is live already; `actionstream reindex` finishes what is left to do"
                )
            # First nobody writes to it, then it goes.
            await self._end(rebuild, RebuildState.ABORTED)
            await self.search.drop(rebuild.index_name)
            return rebuild.index_name

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[Alone]:
        async with self.database.alone("reindex") as hold:
            if hold is None:
                raise RebuildRefused("another `actionstream reindex` is at work on this database")
            aborted = await rows.names(self.database, RebuildState.ABORTED)
            live, _ = await self.search.written()
            # An index that was made anew under an old name, after all were lost, is no remainder.
            for name in sorted({*aborted} & {*await self.search.names()} - {live}):
                await self.search.drop(name)
            yield hold

    async def _check_model(self) -> None:
        [vector] = await self.models.embed(["dimensions"], model=self.wanted.model)
        if len(vector) != self.wanted.dimensions:
            raise RebuildRefused(
                f"{self.wanted.model} gives vectors of length {len(vector)}, not "
                f"{self.wanted.dimensions}; set ACTIONSTREAM_EMBEDDING_DIMENSIONS={len(vector)}"
            )

    async def _left(self) -> Rebuild | None:
        """Returns: the rebuild that was left in the middle, if its index can be gone on with."""
        rebuild = await rows.unfinished(self.database)
        if rebuild is None:
            return None
        name = rebuild.index_name
        if rebuild.state is RebuildState.STARTING:
            # Nobody knows of it yet, so that it costs nothing to begin anew.
            await self._end(rebuild, RebuildState.ABORTED)
            live, _ = await self.search.written()
            if name != live:
                await self.search.drop(name)
            return None
        give_up = "give it up with `actionstream reindex --abort`"
        if name not in await self.search.names():
            raise RebuildRefused(f"a rebuild was left, but its index {name} is gone; {give_up}")
        if await self.search.vectors(name) != self.wanted:
            raise RebuildRefused(
                f"a rebuild with {rebuild.model} was left in {name}, and the settings name "
                f"{self.wanted.model}: set them as they were, or {give_up}"
            )
        self.progress.say(f"going on with {name}: {rebuild.done} of {rebuild.total} texts")
        return rebuild

    async def _begun(self) -> Rebuild:
        live, _ = await self.search.written()
        if live is None:
            raise RebuildRefused("no index is live; run `actionstream migrate`")
        taken = [*await rows.names(self.database), *await self.search.names()]
        revision = 1 + max(map(revision_of, taken), default=0)
        own = index_name(self.wanted.model, self.wanted.dimensions, revision)
        name = self.search.prefix + own
        total = sum([await source.count() for source in sources(self.database)])
        entered = await rows.enter(self.database, name, self.wanted.model, total)
        self.progress.say(f"building {name}")
        await self._make(name, live)
        return replace(entered, state=RebuildState.BUILDING)

    async def _make(self, name: str, live: str) -> None:
        """Make the index, shaped as the live one; then let the workers know of it."""
        shards, replicas = await self.search.shape(live)
        await self.search.create(name, self.wanted, shards=shards, replicas=replicas)
        await rows.change(self.database, name, state=RebuildState.BUILDING)

    async def _walk(self, hold: Alone, rebuild: Rebuild) -> None:
        done = rebuild.done
        async for ids, _ in self._swept(hold, rebuild.index_name, rebuild.after):
            done += len(ids)
            await self._note(rebuild, after=ids[-1], done=done)
            self.progress.show("building", done, max(rebuild.total, done))

    async def _end(self, rebuild: Rebuild, state: RebuildState) -> None:
        await self._note(rebuild, state=state, finished_at=func.now())

    async def _note(self, rebuild: Rebuild, **values: Any) -> None:  # noqa: ANN401 - SQL
        change = partial(rows.change, self.database, rebuild.index_name, **values)
        await self._patiently(change)

    async def _catch_up(self, hold: Alone, rebuild: Rebuild, doing: str) -> None:
        seen = redone = 0
        async for ids, differing in self._swept(hold, rebuild.index_name, ""):
            seen += len(ids)
            redone += differing
            self.progress.show(doing, seen, max(rebuild.total, seen))
        self.progress.say(f"{doing}: {redone} of {seen} texts were written once more")

    async def _swept(
        self, hold: Alone, index: str, after: str
    ) -> AsyncIterator[tuple[list[str], int]]:
        """Yield the ids of each page that was settled, and how many of them differed."""
        for source in sources(self.database):
            sweep = Sweep(source, self.models, self.search.at(index), self.wanted)
            while ids := await self._patiently(partial(source.ids_after, after, self.page)):
                if not await hold.lasts():
                    raise RebuildRefused(_LOST)
                yield ids, await self._patiently(partial(sweep.settle, ids))
                after = ids[-1]

    async def _swap(self, hold: Alone, rebuild: Rebuild) -> None:
        live, _ = await self.search.written()
        if live is None:
            raise RebuildRefused("the live index is gone; run `actionstream migrate`, then go on")
        if not await hold.lasts():
            raise RebuildRefused(_LOST)
        if live != rebuild.index_name:
            await self.search.swap(live, rebuild.index_name)
            self.progress.say(f"{rebuild.index_name} is live in place of {live}")

    async def _leave_old(self, *, keep: bool) -> None:
        _, retired = await self.search.written()
        for name in retired:
            await (self.search.set_aside(name) if keep else self.search.drop(name))
            self.progress.say(f"{name} is {'kept, unused' if keep else 'dropped'}")

    async def _patiently(self, act: Callable[[], Awaitable[T]]) -> T:
        """Repeat what can be repeated while a server is away, and some times for other trouble."""
        said = ""
        troubles = 0
        while True:
            try:
                return await act()
            except DependencyDown as error:
                if said != error.dependency:
                    self.progress.say(f"waiting for {error}")
                said = error.dependency
            except RecordTrouble as error:
                troubles += 1
                if troubles == _ATTEMPTS:
                    raise
                self.progress.say(f"trying again: {error}")
            await asyncio.sleep(_PAUSE_S)
