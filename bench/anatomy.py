"""What of a write's time is the gateway, Kafka, the stage, Postgres, the reply.

Each write is told by its correlation id, and its way is read afterwards from what it left behind,
all by the clock of this one machine: the client's own times; the times that the producers gave the
record in `write-collection` and its answer in `results`, in whole milliseconds, so half of one is
added to them; and in its step's row the beginning of the transaction (`started_at`, which is the
database's `now()`) and the end of its work (`finished_at`).
"""

import http.client
import statistics
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import psycopg
from confluent_kafka import OFFSET_END, Consumer, Message, TopicPartition

from bench.stack import Stack
from schemas.kafka import client_config
from schemas.topics import RESULTS, WRITE_COLLECTION

PARTS: Final = (
    "gateway: authentication, limits, validation, until the record is made",
    "Kafka: until the stage's transaction begins, with a batch before it",
    "stage: its transaction, until all rows are written",
    "commit, and until the answer's record is made",
    "reply: Kafka, the gateway's look at the row, the answer",
)
"""The parts of a write in their order; together they are the time that the client sees."""

_HALF_MS: Final = 0.0005
_SILENCE_S: Final = 3.0
_ROWS: Final = """
SELECT r.correlation_id, extract(epoch FROM s.started_at)::float8,
       extract(epoch FROM s.finished_at)::float8
FROM requests AS r JOIN steps AS s ON s.request_id = r.request_id AND s.stage = 'collections'
WHERE r.correlation_id LIKE %s
"""


@dataclass(frozen=True, slots=True)
class Anatomy:
    """Milliseconds of each part, of all of them, and of Postgres at work: means of all writes.

    Postgres' are those of the statements and commits of all processes, within the parts; of a
    transaction that wrote `together` of them at once, on average, each bears its share.
    """

    clients: int
    parts: Mapping[str, float]
    whole: float
    database: float
    together: float


@dataclass(frozen=True, slots=True)
class Target:
    """Where writes go, and as whom."""

    port: int
    path: str
    key: str
    body: bytes


def split(
    sent: float, made: float, rows: tuple[float, float], told: float, had: float
) -> list[float]:
    """Returns: the milliseconds of each part, from six times in seconds."""
    times = (sent, made + _HALF_MS, *rows, told + _HALF_MS, had)
    return [(after - before) * 1000 for before, after in pairwise(times)]


def measure(made: Stack, target: Target, url: str, count: int, clients: int) -> Anatomy:
    """Returns: the parts of so many writes by so many clients at once.

    Raises:
        RuntimeError: one of them was not answered with 201.
    """
    mark = uuid.uuid4().hex[:8]
    with _listening(made) as consumer, psycopg.connect(url, autocommit=True) as connection:
        _write(target, f"{mark}-warm", max(20, clients), clients)
        before = _active_ms(connection)
        calls = _write(target, mark, count, clients)
        busy = _active_ms(connection) - before
        found = _records(consumer, f"{mark}-", 2 * (count + max(20, clients)))
        rows = {
            row[0]: (row[1], row[2]) for row in connection.execute(_ROWS, (f"{mark}-%",)).fetchall()
        }
    parts = [
        split(
            sent,
            found[WRITE_COLLECTION.name, name],
            rows[name],
            found[RESULTS.name, name],
            had,
        )
        for name, (sent, had) in calls.items()
    ]
    middle = [statistics.fmean(part) for part in zip(*parts, strict=True)]
    transactions = len({rows[name][0] for name in calls})
    return Anatomy(
        clients,
        dict(zip(PARTS, middle, strict=True)),
        sum(middle),
        busy / count,
        count / transactions,
    )


def _write(target: Target, mark: str, count: int, clients: int) -> dict[str, tuple[float, float]]:
    """Returns: when each write was sent and answered, by its correlation id."""

    def one_client(numbers: Sequence[int]) -> dict[str, tuple[float, float]]:
        connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=60)
        times = {}
        for number in numbers:
            name = f"{mark}-{number}"
            headers = {
                "Authorization": f"Bearer {target.key}",
                "Content-Type": "application/json",
                "X-Correlation-ID": name,
            }
            sent = time.time()
            connection.request("POST", target.path, target.body, headers)
            answer = connection.getresponse()
            text = answer.read()
            times[name] = (sent, time.time())
            if answer.status != http.client.CREATED:
                raise RuntimeError(text.decode(errors="replace"))
        connection.close()
        return times

    shares = [range(first, count, clients) for first in range(clients)]
    with ThreadPoolExecutor(clients) as threads:
        found: dict[str, tuple[float, float]] = {}
        for times in threads.map(one_client, shares):
            found |= times
    return found


@contextmanager
def _listening(made: Stack) -> Iterator[Consumer]:
    """Yield a consumer of both topics, from their ends on."""
    settings = made.settings
    consumer = Consumer(
        {**client_config(settings), "group.id": uuid.uuid4().hex, "enable.auto.commit": False}
    )
    places = []
    for topic in (WRITE_COLLECTION, RESULTS):
        name = f"{settings.topic_prefix}{topic.name}"
        partitions = consumer.list_topics(name, timeout=10).topics[name].partitions
        places += [TopicPartition(name, each, _end(consumer, name, each)) for each in partitions]
    consumer.assign(places)
    try:
        yield consumer
    finally:
        consumer.close()


def _end(consumer: Consumer, name: str, partition: int) -> int:
    _, high = consumer.get_watermark_offsets(TopicPartition(name, partition, OFFSET_END))
    return int(high)


def _records(consumer: Consumer, mark: str, expected: int) -> dict[tuple[str, str], float]:
    """Returns: when each record was made, in seconds, by topic and correlation id."""
    found: dict[tuple[str, str], float] = {}
    while len(found) < expected:
        message: Message | None = consumer.poll(_SILENCE_S)
        if message is None:
            break
        headers: dict[str, Any] = dict(message.headers() or [])
        name = bytes(headers.get("correlation-id", b"")).decode()
        if message.error() is None and name.startswith(mark):
            topic = RESULTS if str(message.topic()).endswith(RESULTS.name) else WRITE_COLLECTION
            found.setdefault((topic.name, name), message.timestamp()[1] / 1000)
    return found


def _active_ms(connection: psycopg.Connection) -> float:
    """Returns: how long statements of this database have run so far, once all have told it."""
    time.sleep(2)  # sessions tell it a second after their last transaction at the latest
    row = connection.execute(
        "SELECT active_time FROM pg_stat_database WHERE datname = current_database()"
    ).fetchone()
    return float(row[0]) if row else 0.0
