"""The stages on real Postgres, S3 and OpenSearch; models, parser and Kafka are played by fakes."""

import base64
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from secrets import randbelow
from typing import Any

import pytest
from sqlalchemy import Row, Table, insert, select
from sqlalchemy import delete as delete_rows

from schemas import topics
from schemas.envelope import Envelope
from schemas.ids import DOCUMENT, REQUEST, RUN, Ids
from schemas.messages import Inline, Message, ProcessDocument, ReprocessDocument, UpdateDocument
from schemas.tables import BATCH_ENTRIES, BATCHES, DOCUMENTS, GPTS, RUNS
from schemas.topics import DELAYS
from streams.answers import Answers
from streams.batch_ledger import BatchLedger
from streams.batches import Batches
from streams.clients import s3
from streams.clients.ollama import ModelAnswer
from streams.clients.opensearch import SearchIndex
from streams.clients.postgres import Database
from streams.clients.s3 import ObjectStore
from streams.expanding.archive import Limits
from streams.files import Files
from streams.ledger import Ledger
from streams.parsing.page import Page, ParsedPart
from streams.retries import Attempts
from streams.runner import Patience, Runner
from streams.settings import Settings
from streams.stage import BatchStage, Reading, Record
from streams.stages import (
    batches,
    cancel,
    classify,
    complete,
    define,
    delete,
    discard,
    expand,
    extract,
    forget,
    index,
    index_object,
    parse,
    purge,
    receive,
    redrive,
    reprocess,
    review,
    trial,
    update,
)
from streams.wire import Incoming
from tests.fakes.models import FakeModels, FakeParser, no_network
from tests.fakes.publisher import FakePublisher

TENANT = "demo"
DISABLED = "disabled-tenant"
MAX_BYTES = 4096
MAX_BATCH_DOCUMENTS = 1000
ARCHIVES = Limits(files=500, bytes=10**7, unpacked_bytes=10**7, file_bytes=MAX_BYTES)
TEXT = "Corner Bakery\n12 Mill Lane\nDate: 2026-03-04\nTOTAL 6.80"


class NoPictures:
    """Draws nothing."""

    async def of(self, work: object, pages: object) -> list[bytes]:
        del work, pages
        return []


def reply(user: str, schema: dict[str, Any]) -> ModelAnswer:
    """Answer as a model that holds every document for a receipt of the Corner Bakery."""
    del user
    value: dict[str, Any]
    if "candidates" in schema["properties"]:
        value = {"candidates": [{"type": "receipt", "confidence": 0.9}]}
    else:
        known = {"company": "Corner Bakery", "total": "6.80"}
        value = {
            name: known.get(name, [] if leaf["type"] == "array" else None)
            for name, leaf in schema["properties"].items()
        }
    return ModelAnswer("fake-chat", json.dumps(value), value)


def page(number: int, text: str = TEXT) -> Page:
    return Page(number, text)


def parsed(*pages: Page, **more: Any) -> ParsedPart:
    return ParsedPart(pages=pages, page_count=more.pop("page_count", len(pages)), **more)


@dataclass
class World:
    """All stages before one runner; `send` plays Kafka."""

    settings: Settings
    database: Database
    store: ObjectStore
    search: SearchIndex
    ids: Ids
    models: FakeModels = field(default_factory=lambda: FakeModels(reply))
    parser: FakeParser = field(default_factory=lambda: FakeParser({1: parsed(page(1))}))
    publisher: FakePublisher = field(default_factory=FakePublisher)
    budget: timedelta = timedelta(seconds=20)
    redrive_per_second: int = 100
    # Dead letters are told apart by it, also from those of other worlds.
    offset: int = field(default_factory=lambda: randbelow(10**15))

    @property
    def stages(self) -> dict[str, Reading[Any]]:
        database, files = self.database, Files(self.store, MAX_BYTES)
        models: Any = self.models
        pictures: Any = NoPictures()
        answers = Answers(database, models, pictures)
        made: Sequence[Reading[Any]] = (
            receive.stage(database, files, no_network, self.ids),
            parse.stage(database, files, self.parser, self.ids),
            classify.stage(database, answers),
            extract.stage(database, answers, budget=self.budget),
            index.extracted(database, models, self.search),
            complete.stage(database),
            update.stage(database),
            review.stage(database),
            index.updated(database, models, self.search),
            index_object.stage(database, models, self.search, self.ids),
            delete.stage(database, self.ids),
            purge.stage(database, self.store, self.search, self.ids),
            reprocess.stage(database, self.ids),
            define.stage(),
            trial.stage(database, answers, budget=self.budget),
            redrive.stage(database, per_second=self.redrive_per_second),
            discard.stage(database),
            forget.stage(database, self.store, self.ids),
            batches.stage(self.ids, most_documents=MAX_BATCH_DOCUMENTS),
            expand.stage(
                database,
                files,
                self.ids,
                ARCHIVES,
                most_documents=MAX_BATCH_DOCUMENTS,
                budget=self.budget,
            ),
            cancel.stage(database, self.ids),
        )
        return {stage.name: stage for stage in made}

    @property
    def runner(self) -> Runner:
        patience = Patience(first_seconds=0.01, longest_seconds=0.05, look_seconds=0.02)
        ledger = Ledger(self.database, owner="test", lease=timedelta(seconds=15))
        return Runner(
            ledger,
            self.publisher,
            self.ids,
            attempts=Attempts(2),
            grace=timedelta(seconds=0),
            patience=patience,
        )

    def document(self) -> str:
        return self.ids.mint(DOCUMENT, TENANT)

    def run_of(self, request_id: str) -> str:
        return self.ids.derive(RUN, TENANT, request_id)

    def request(self) -> str:
        return self.ids.mint(REQUEST, TENANT)

    async def give(self, record: Record) -> list[Record]:
        """Give a record to its topic's stage. Returns: what that published, events aside."""
        before = len(self.publisher.records)
        stage = next(s for s in self.stages.values() if record.topic in sources(s))
        self.offset += 1
        place = (record.topic, 0, self.offset)
        incoming = Incoming(*place, record.key, record.value, record.headers, lambda: False)
        if isinstance(stage, BatchStage):
            ledger = BatchLedger(self.database, owner="test")
            await Batches(self.runner, ledger).run(stage, [incoming])
        else:
            await self.runner.run(stage, incoming)
        return [each for each in self.publisher.records[before:] if each.topic != "events"]

    async def send(
        self,
        stage: str,
        message: Message,
        *,
        request: str | None = None,
        tenant: str = TENANT,
        subject: str | None = None,
    ) -> list[Record]:
        """Send a message to a stage. Returns: what that published."""
        topic = self.stages[stage].source
        envelope = Envelope.model_validate(
            {
                "request-id": request or self.request(),
                "gpt-id": tenant,
                "schema": topic.schema_name,
                "subject": subject,
            }
        )
        value = message.model_dump_json().encode()
        return await self.give(Record(topic.name, b"key", value, envelope.to_headers()))

    async def follow(self, records: Sequence[Record], *, until: str = "") -> list[Record]:
        """Give records, and what follows from them, to their stages, but not to stage `until`.

        What waits on a retry topic comes back at once, as if its time had passed.

        Returns: the records that are left: answers, dead letters, and those for `until`.
        """
        known = {name for s in self.stages.values() if s.name != until for name in sources(s)}
        waiting, left = list(records), list[Record]()
        while waiting:
            record = returned(waiting.pop(0))
            if record.topic in known:
                waiting.extend(await self.give(record))
            else:
                left.append(record)
        return left

    async def take_in(
        self, text: str = TEXT, *, until: str = "", document_id: str | None = None, **more: Any
    ) -> str:
        """Take a document in and follow it. Returns: its id."""
        document_id = document_id or self.document()
        message = ProcessDocument(source=inline(text), document_id=document_id, **more)
        self.left = await self.follow(await self.send("receive", message), until=until)
        return document_id

    async def amend(self, document_id: str, **changes: Any) -> list[Record]:
        return await self.send(
            "update", UpdateDocument(document_id=document_id, by="someone", **changes)
        )

    async def reprocess(self, document_id: str, as_type: str | None = None) -> list[Record]:
        message = ReprocessDocument(document_id=document_id, type=as_type)
        return await self.send("reprocess", message)

    async def runs(self, document_id: str) -> Sequence[Row[Any]]:
        return sorted(await self.rows(RUNS, document_id), key=lambda run: run.number)

    async def rows(self, table: Table, document_id: str) -> Sequence[Row[Any]]:
        query = select(table).where(table.c.document_id == document_id)
        async with self.database.transaction() as connection:
            return (await connection.execute(query)).all()

    async def row(self, document_id: str) -> Row[Any]:
        [row] = await self.rows(DOCUMENTS, document_id)
        return row

    async def keys(self, prefix: str) -> list[str]:
        client = self.store._client
        answer = await client.list_objects_v2(Bucket=self.settings.s3_bucket, Prefix=prefix)
        return [item["Key"] for item in answer.get("Contents", ())]

    async def entries(self, document_id: str) -> dict[str, dict[str, Any]]:
        client = self.search._client
        await client.indices.refresh(index=self.search.alias)
        answer = await client.search(
            index=self.search.alias,
            body={
                "size": 100,
                "version": True,
                "query": {"term": {"document_id": document_id}},
                "sort": ["ordinal"],
            },
        )
        return {
            hit["_id"]: {**hit["_source"], "_v": hit["_version"]} for hit in answer["hits"]["hits"]
        }


def sources(stage: Reading[Any]) -> set[str]:
    """Returns: the topics that a stage reads."""
    return set(topics.sources(stage.name))


def returned(record: Record) -> Record:
    """Returns: a record as the delay consumer gives it back; any other one as it is."""
    if record.topic not in {delay.name for delay in DELAYS}:
        return record
    headers = dict(record.headers)
    topic = headers.pop("return-to").decode()
    headers.pop("not-before")
    return Record(topic, record.key, record.value, tuple(headers.items()))


def inline(text: str) -> Inline:
    return Inline(content_base64=base64.b64encode(text.encode()).decode())


def body(records: Sequence[Record], topic: str) -> dict[str, Any]:
    """Returns: the value of the one record of a topic."""
    [record] = [each for each in records if each.topic == topic]
    value: dict[str, Any] = json.loads(record.value)
    return value


def failure(records: Sequence[Record]) -> str:
    """Returns: the code of the problem that a request was answered with."""
    code: str = body(records, "results")["problem"]["code"]
    return code


@pytest.fixture(scope="session")
async def store(settings: Settings) -> AsyncIterator[ObjectStore]:
    async with s3.connect(settings) as opened:
        yield opened


@pytest.fixture(scope="session")
async def search(settings: Settings) -> AsyncIterator[SearchIndex]:
    opened = SearchIndex.connect(settings)
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
async def disabled(database: Database) -> str:
    """A tenant that is disabled."""
    row = insert(GPTS).values(
        gpt_id=DISABLED, name="x", disabled_at=select(GPTS.c.created_at).limit(1).scalar_subquery()
    )
    async with database.transaction() as connection:
        await connection.execute(row)
    return DISABLED


@pytest.fixture
async def world(
    settings: Settings, database: Database, store: ObjectStore, search: SearchIndex
) -> AsyncIterator[World]:
    ids = Ids(settings.id_secret.get_secret_value())
    yield World(settings, database, store, search, ids)
    # What is in flight here would count where the release of batches is tested.
    async with database.transaction() as connection:
        await connection.execute(delete_rows(BATCH_ENTRIES))
        await connection.execute(delete_rows(BATCHES))
