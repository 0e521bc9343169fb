"""Letting documents of batches into the pipeline, on a real Postgres."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence

import pytest
from sqlalchemy import delete, func, insert, select, update

from schemas.envelope import Envelope
from schemas.states import BatchState, EntryState
from schemas.tables import BATCH_ENTRIES, BATCHES
from streams.clients.postgres import Database
from streams.errors import DependencyDown
from streams.release import Release
from streams.stage import Record


class Topic:
    """Keeps what is published; `away` makes it fail after it has taken the records."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.away = False

    async def publish(self, records: tuple[Record, ...]) -> None:
        self.records.extend(records)
        if self.away:
            raise DependencyDown("kafka", "away")

    def tenants(self) -> Counter[str]:
        return Counter(Envelope.from_headers(record.headers).gpt_id for record in self.records)


@pytest.fixture
async def topic(database: Database) -> AsyncIterator[Topic]:
    """An empty topic, and no batches but those of the test."""
    yield Topic()
    async with database.transaction() as connection:
        await connection.execute(delete(BATCHES))
        await connection.execute(delete(BATCH_ENTRIES))


async def _batch(
    database: Database, gpt_id: str, name: str, count: int, state: str = BatchState.OPEN
) -> None:
    batch_id = f"batch_{gpt_id}_{name}"
    entries = [
        {
            "batch_id": batch_id,
            "ordinal": number,
            "gpt_id": gpt_id,
            "document_id": f"doc_{gpt_id}_{name}_{number}",
            "request_id": f"req_{gpt_id}_{name}_{number}",
            "order": {"source": {"kind": "link", "url": "https://example.com/"}},
            "state": EntryState.QUEUED,
        }
        for number in range(1, count + 1)
    ]
    async with database.transaction() as connection:
        await connection.execute(
            insert(BATCHES).values(
                batch_id=batch_id,
                gpt_id=gpt_id,
                subject="ada",
                request_id=f"req_{name}",
                state=state,
                unsettled=count,
            )
        )
        await connection.execute(insert(BATCH_ENTRIES), entries)


async def _settle(database: Database, keys: Sequence[bytes]) -> None:

    async with database.transaction() as connection:
        await connection.execute(
            update(BATCH_ENTRIES)
            .where(BATCH_ENTRIES.c.document_id.in_([key.decode() for key in keys]))
            .values(state=EntryState.COMPLETED, settled_at=func.now())
        )


async def test_so_many_at_once_and_all_in_the_end(database: Database, topic: Topic) -> None:
    """There is room again for as many as were settled; each is released once, in its order."""
    await _batch(database, "a", "one", 25)
    release = Release(database, topic, in_flight=10)
    await release.turn()
    await release.turn()
    assert len(topic.records) == 10
    for _ in range(2):
        await _settle(database, [record.key or b"" for record in topic.records])
        await release.turn()
    await _settle(database, [record.key or b"" for record in topic.records])
    await release.turn()
    first = {record.key for record in topic.records[:10]}
    assert first == {f"doc_a_one_{number}".encode() for number in range(1, 11)}
    assert sorted(record.key or b"" for record in topic.records) == sorted(
        f"doc_a_one_{number}".encode() for number in range(1, 26)
    )


async def test_records_say_whose_they_are(database: Database, topic: Topic) -> None:
    """The order as it was stored, with the batch and its end user in the headers."""
    await _batch(database, "a", "one", 1)
    await Release(database, topic, in_flight=10).turn()
    (record,) = topic.records
    envelope = Envelope.from_headers(record.headers)
    assert record.topic == "process-document-bulk"
    assert (envelope.batch_id, envelope.subject) == ("batch_a_one", "ada")
    assert envelope.request_id == "req_a_one_1"
    assert json.loads(record.value)["source"]["kind"] == "link"


async def test_orders_are_published_to_the_byte(database: Database, topic: Topic) -> None:
    """A number of five bytes is not one of three hundred, which would not fit a record."""
    await _batch(database, "a", "one", 1)
    text = '{"source":{"kind":"link","url":"https://example.com/"},"metadata":{"far":1e308}}'
    async with database.transaction() as connection:
        statement = 'UPDATE batch_entries SET "order" = CAST(%s AS json)'
        await connection.exec_driver_sql(statement, (text,))
    await Release(database, topic, in_flight=10).turn()
    (record,) = topic.records
    assert record.value == text.encode()


async def test_tenants_alternate(database: Database, topic: Topic) -> None:
    """Five thousand of one tenant do not stand before three of another."""
    await _batch(database, "large", "one", 200)
    release = Release(database, topic, in_flight=20)
    await release.turn()
    assert topic.tenants() == {"large": 20}
    await _batch(database, "small", "one", 3)
    await _settle(database, [record.key or b"" for record in topic.records[:6]])
    await release.turn()
    assert topic.tenants() == {"large": 23, "small": 3}


async def test_who_has_least_in_flight_goes_first(database: Database, topic: Topic) -> None:
    """Where there is room for one at a time, no name is always the first."""
    await _batch(database, "a", "one", 30)
    await _batch(database, "b", "one", 30)
    release = Release(database, topic, in_flight=4)
    await release.turn()
    assert topic.tenants() == {"a": 2, "b": 2}
    first_of_a = next(record for record in topic.records if b"_a_" in (record.key or b""))
    await _settle(database, [first_of_a.key or b""])
    await release.turn()
    assert topic.tenants() == {"a": 3, "b": 2}


@pytest.mark.parametrize("state", [BatchState.CANCELLED, BatchState.COMPLETED])
async def test_only_living_batches(database: Database, topic: Topic, state: BatchState) -> None:
    """What is cancelled begins nothing more."""
    await _batch(database, "a", "one", 5, state)
    await Release(database, topic, in_flight=10).turn()
    assert topic.records == []


async def test_what_may_be_published_is_published_again(database: Database, topic: Topic) -> None:
    """A turn that ends between publishing and noting it loses nothing: the ledger knows twins."""
    await _batch(database, "a", "one", 5)
    release = Release(database, topic, in_flight=10)
    topic.away = True
    with pytest.raises(DependencyDown):
        await release.turn()
    topic.away = False
    await release.turn()
    assert Counter(record.key for record in topic.records).most_common()[0][1] == 2
    async with database.transaction() as connection:
        left = select(BATCH_ENTRIES.c.ordinal).where(BATCH_ENTRIES.c.released_at.is_(None))
        assert (await connection.execute(left)).all() == []
