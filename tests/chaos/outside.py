"""The servers as they are, asked directly: rows, index entries, objects, records."""

import asyncio
import json
import uuid
from dataclasses import dataclass, field
from typing import Any

import psycopg
from aiobotocore.session import get_session
from confluent_kafka import Consumer, TopicPartition
from opensearchpy import AsyncOpenSearch
from opensearchpy.helpers import async_scan
from psycopg.rows import dict_row

from schemas.topics import READERS, group, sources

Row = dict[str, Any]
_TABLES = (
    "requests",
    "documents",
    "runs",
    "chunks",
    "steps",
    "dead_letters",
    "events",
    "event_counters",
    "collections",
    "objects",
    "object_versions",
    "gpts",
    "api_keys",
    "document_types",
)
DELAYED = "actionstream-delay"
WORKING = {source: group(stage) for stage in READERS for source in sources(stage)}
GROUPS = (*sorted(set(WORKING.values())), DELAYED)
#: Columns that nothing is asked about, and that are large.
_UNREAD = {"outputs", "detail", "text", "record_value", "candidates"}


@dataclass
class Record:
    """A record of a topic."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Entry:
    """An entry of the index."""

    entry_id: str
    document_id: str
    version: int


class Outside:
    """Looks at the servers of a run, past its proxy and past the product's own code."""

    def __init__(self, variables: dict[str, str]) -> None:
        self._variables = variables
        self._database = variables["ACTIONSTREAM_ADMIN_DATABASE_URL"].replace("+psycopg", "")
        self._bootstrap = variables["ACTIONSTREAM_KAFKA_BOOTSTRAP"]

    async def rows(self, query: str) -> list[Row]:
        """Returns: the rows of a query. Raises: psycopg.OperationalError: Postgres is away."""
        connection = await psycopg.AsyncConnection.connect(
            self._database, connect_timeout=5, row_factory=dict_row, autocommit=True
        )
        async with connection, connection.cursor() as cursor:
            await cursor.execute(query.encode())
            return await cursor.fetchall()

    async def execute(self, *statements: str) -> None:
        """Run statements as the one who owns the tables."""
        connection = await psycopg.AsyncConnection.connect(self._database, autocommit=True)
        async with connection:
            for each in statements:
                await connection.execute(each.encode())

    async def tables(self) -> dict[str, list[Row]]:
        """Returns: all rows of the tables that are looked at."""
        found = {}
        for table in _TABLES:
            columns = await self.rows(
                f"SELECT column_name FROM information_schema.columns WHERE table_name = '{table}'"  # noqa: S608 - our own names
            )
            names = ", ".join(
                f'"{row["column_name"]}"' for row in columns if row["column_name"] not in _UNREAD
            )
            found[table] = await self.rows(f"SELECT {names} FROM {table}") if names else []  # noqa: S608 - our own names
        return found

    async def entries(self) -> list[Entry]:
        """Returns: all entries of the index."""
        client = AsyncOpenSearch(hosts=[self._variables["ACTIONSTREAM_OPENSEARCH_URL"]], timeout=60)
        try:
            await client.indices.refresh(index="documents")
            query = {"query": {"match_all": {}}, "version": True, "_source": ["document_id"]}
            return [
                Entry(hit["_id"], hit["_source"]["document_id"], hit["_version"])
                async for hit in async_scan(client, query=query, index="documents", size=1000)
            ]
        finally:
            await client.close()

    async def objects(self) -> set[str]:
        """Returns: the keys of all objects in the bucket."""
        async with get_session().create_client(
            "s3",
            endpoint_url=self._variables["ACTIONSTREAM_S3_ENDPOINT"],
            region_name="us-east-1",
            aws_access_key_id=self._variables["ACTIONSTREAM_S3_ACCESS_KEY"],
            aws_secret_access_key=self._variables["ACTIONSTREAM_S3_SECRET_KEY"],
        ) as client:
            pages = client.get_paginator("list_objects_v2").paginate(
                Bucket=self._variables["ACTIONSTREAM_S3_BUCKET"]
            )
            return {each["Key"] async for page in pages for each in page.get("Contents", ())}

    async def records(self, *topics: str) -> list[Record]:
        """Returns: all records of topics, from their beginnings to their ends now."""
        return await asyncio.to_thread(self._records, topics)

    def _records(self, topics: tuple[str, ...]) -> list[Record]:
        consumer = self._consumer(uuid.uuid4().hex)
        known = consumer.list_topics(timeout=20).topics
        ends: dict[tuple[str, int], int] = {}
        for topic in topics:
            for partition in known[topic].partitions:
                place = TopicPartition(topic, partition)
                low, high = consumer.get_watermark_offsets(place, timeout=20)
                if high > low:
                    ends[topic, partition] = high
        consumer.assign([TopicPartition(*place, 0) for place in ends])
        found = []
        while ends:
            message = consumer.poll(30)
            if message is None:
                raise TimeoutError(f"records missing of {sorted(ends)}")
            if message.error() is None:
                found.append(_record(message))
                if message.offset() + 1 >= ends[message.topic(), message.partition()]:
                    del ends[message.topic(), message.partition()]
                    consumer.incremental_unassign(
                        [TopicPartition(message.topic(), message.partition())]
                    )
        consumer.close()
        return found

    async def topics(self) -> list[str]:
        """Returns: the topics of the installation."""
        return await asyncio.to_thread(self._topics)

    def _topics(self) -> list[str]:
        reader = self._consumer(uuid.uuid4().hex)
        names = sorted(self._places(reader))
        reader.close()
        return names

    async def lag(self) -> dict[str, int]:
        """Returns: how many records each group and topic has before it, where there are any."""
        return await asyncio.to_thread(self._lag)

    def _lag(self) -> dict[str, int]:
        # Not by an admin client: librdkafka 2.16 ends the process when its admin client asks for
        # a group's offsets while the coordinator is just changing.
        behind: dict[str, int] = {}
        for name in GROUPS:
            reader = self._consumer(name)
            for topic, places in self._places(reader).items():
                for place in reader.committed(places, timeout=20):
                    # Negative where the group has never read the topic.
                    low, high = reader.get_watermark_offsets(place, timeout=20)
                    begin = place.offset if place.offset >= 0 else low
                    if _reads(name, topic) and high > begin:
                        which = f"{name} {topic}"
                        behind[which] = behind.get(which, 0) + high - begin
            reader.close()
        return behind

    def _consumer(self, group: str) -> Consumer:
        return Consumer(
            {
                "bootstrap.servers": self._bootstrap,
                "group.id": group,
                "enable.auto.commit": False,
                "log_level": 0,
            }
        )

    @staticmethod
    def _places(reader: Consumer) -> dict[str, list[TopicPartition]]:
        return {
            name: [TopicPartition(name, number) for number in topic.partitions]
            for name, topic in reader.list_topics(timeout=20).topics.items()
            if not name.startswith("__")
        }


def _reads(name: str, topic: str) -> bool:
    """Returns: whether a group is to read a topic."""
    if topic.startswith("retry-"):
        return name == DELAYED
    return WORKING.get(topic) == name


def _record(message: Any) -> Record:
    headers = {
        name: (value or b"").decode(errors="replace") for name, value in message.headers() or ()
    }
    return Record(
        message.topic(),
        message.partition(),
        message.offset(),
        message.key(),
        message.value() or b"",
        headers,
    )


def decoded(record: Record) -> Row:
    """Returns: the JSON object that a record's value is."""
    value: Row = json.loads(record.value)
    return value
