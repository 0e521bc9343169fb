"""Replay: stages run again over stored documents, each as a new run of its document.

Reads documents and requests; publishes reprocess-document. The request of each document is derived
from the replay's name, so that whoever repeats a replay finds what the first one did.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import Row, Select, func, select

from schemas.envelope import Envelope
from schemas.ids import REQUEST, Ids
from schemas.messages import ReprocessDocument
from schemas.states import FINAL, Status
from schemas.tables import DOCUMENTS, REQUESTS
from schemas.topics import REPROCESS_DOCUMENT
from streams.clients.postgres import Database
from streams.runner import Publisher
from streams.stage import Record

Stage = Literal["parse", "classify", "extract", "index"]

_PAGE: Final = 500
_TICKS_PER_SECOND: Final = 10
_ASKED_AT_ONCE: Final = 5000
_ENDED: Final = tuple(str(status) for status in FINAL)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which documents: taken in from `since` and before `until`, and not in work or deleted.

    Where `document_ids` are given, they alone are meant.
    """

    since: datetime | None = None
    until: datetime | None = None
    type: str | None = None
    statuses: tuple[Status, ...] = (Status.COMPLETED, Status.FAILED)
    document_ids: tuple[str, ...] = ()

    def query(self) -> Select[Any]:
        """Returns: the documents chosen now."""
        query = self.reach().where(DOCUMENTS.c.status.in_(self.statuses))
        return query if self.type is None else query.where(DOCUMENTS.c.type == self.type)

    def takes(self, row: Row[Any]) -> bool:
        """Returns: whether a document of `reach` is chosen now."""
        return row.status in self.statuses and self.type in {None, row.type}

    def reach(self) -> Select[Any]:
        """Returns: the documents that were or are chosen: a replay changes their state and type.

        Those whose bytes were never stored have nothing to replay.
        """
        query = select(
            DOCUMENTS.c.document_id,
            DOCUMENTS.c.gpt_id,
            DOCUMENTS.c.subject,
            DOCUMENTS.c.status,
            DOCUMENTS.c.type,
        ).where(DOCUMENTS.c.deleted_at.is_(None), DOCUMENTS.c.s3_key.is_not(None))
        if self.document_ids:
            query = query.where(DOCUMENTS.c.document_id.in_(self.document_ids))
        if self.since is not None:
            query = query.where(DOCUMENTS.c.created_at >= self.since)
        if self.until is not None:
            query = query.where(DOCUMENTS.c.created_at < self.until)
        return query


@dataclass(slots=True)
class Standing:
    """How far a replay is; `ended` counts requests by their state, `problems` by their code."""

    published: int = 0
    waiting: list[str] = field(default_factory=list)
    ended: Counter[str] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)


Tell = Callable[[Standing], None]


class Replay:
    """One replay, named `name`: its documents' requests, published and followed."""

    def __init__(
        self, database: Database, publisher: Publisher, ids: Ids, *, name: str, stage: Stage
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._ids = ids
        self._name = name
        self._stage: Stage = stage
        self.standing = Standing()

    async def count(self, choice: Choice) -> int:
        """Returns: how many documents are chosen now. Raises: DependencyDown: Postgres is away."""
        [row] = await self._rows(select(func.count()).select_from(choice.query().subquery()))
        return int(row[0])

    async def publish(self, choice: Choice, *, per_second: int, tell: Tell) -> None:
        """Publish a request for each document that has none of this replay yet, at this pace.

        Raises: DependencyDown: Postgres or Kafka is away; the same replay may be begun again.
        """
        size = max(1, per_second // _TICKS_PER_SECOND)
        due = time.monotonic()
        async for page in self._pages(choice):
            new = await self._new(page, choice)
            for start in range(0, len(new), size):
                batch = new[start : start + size]
                await asyncio.sleep(due - time.monotonic())
                await self._publisher.publish(tuple(record for _, record in batch))
                due = max(due, time.monotonic() - 1) + len(batch) / per_second
                self.standing.published += len(batch)
                self.standing.waiting.extend(request_id for request_id, _ in batch)
                tell(self.standing)

    async def follow(self, *, tell: Tell, pause_s: float = 1.0) -> None:
        """Return when every request has ended.

        Raises: DependencyDown: Postgres is away.
        """
        while self.standing.waiting:
            await self._look()
            tell(self.standing)
            if self.standing.waiting:
                await asyncio.sleep(pause_s)

    async def _look(self) -> None:
        """Count those that have ended; the first published are asked for first."""
        asked = self.standing.waiting[:_ASKED_AT_ONCE]
        ended: set[str] = set()
        for start in range(0, len(asked), _PAGE):
            for row in await self._requests(asked[start : start + _PAGE]):
                if row.status in _ENDED:
                    ended.add(row.request_id)
                    self._count(row)
        self.standing.waiting = [each for each in self.standing.waiting if each not in ended]

    def _count(self, row: Row[Any]) -> None:
        self.standing.ended[row.status] += 1
        if row.problem is not None:
            self.standing.problems[row.problem["code"]] += 1

    async def _new(self, page: Sequence[Row[Any]], choice: Choice) -> list[tuple[str, Record]]:
        """Returns: the requests that are not entered yet; the others are followed."""
        documents = {self._request_id(row): row for row in page}
        for row in await self._requests(list(documents)):
            del documents[row.request_id]
            if row.status in _ENDED:
                self._count(row)
            else:
                self.standing.waiting.append(row.request_id)
        return [
            (request_id, self._record(row, request_id))
            for request_id, row in documents.items()
            if choice.takes(row)
        ]

    def _request_id(self, row: Row[Any]) -> str:
        parts = ("replay", self._name, self._stage, row.document_id)
        return self._ids.derive(REQUEST, row.gpt_id, *parts)

    def _record(self, row: Row[Any], request_id: str) -> Record:
        document_id, gpt_id = row.document_id, row.gpt_id
        message = ReprocessDocument(document_id=document_id, from_stage=self._stage)
        envelope = Envelope(
            request_id=request_id,
            gpt_id=gpt_id,
            schema_name=REPROCESS_DOCUMENT.schema_name,
            subject=row.subject,
            correlation_id=self._name,
        )
        return Record(
            REPROCESS_DOCUMENT.name,
            document_id.encode(),
            message.model_dump_json().encode(),
            envelope.to_headers(),
        )

    async def _requests(self, request_ids: Sequence[str]) -> Sequence[Row[Any]]:
        columns = (REQUESTS.c.request_id, REQUESTS.c.status, REQUESTS.c.problem)
        return await self._rows(select(*columns).where(REQUESTS.c.request_id.in_(request_ids)))

    async def _pages(self, choice: Choice) -> AsyncIterator[Sequence[Row[Any]]]:
        page = choice.reach().order_by(DOCUMENTS.c.document_id).limit(_PAGE)
        rows = await self._rows(page)
        while rows:
            yield rows
            rows = await self._rows(page.where(DOCUMENTS.c.document_id > rows[-1].document_id))

    async def _rows(self, query: Select[Any]) -> Sequence[Row[Any]]:
        async with self._database.transaction() as connection:
            rows: Sequence[Row[Any]] = (await connection.execute(query)).all()
        return rows
