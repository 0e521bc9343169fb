"""A Kafka of one consumer at a time: partitions, commits, pauses, and what the brokers refuse."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition

Place = tuple[str, int]
Headers = list[tuple[str, bytes | None]]


@dataclass(frozen=True)
class FakeMessage:
    """A record of the log, with the methods of the client's own message."""

    place: Place
    number: int
    body: bytes | None
    pairs: Headers
    written_ms: int | None
    broken: KafkaError | None = None

    def topic(self) -> str:
        return self.place[0]

    def partition(self) -> int:
        return self.place[1]

    def offset(self) -> int:
        return self.number

    def key(self) -> bytes | None:
        return None

    def value(self) -> bytes | None:
        return self.body

    def headers(self) -> Headers | None:
        return self.pairs or None

    def timestamp(self) -> tuple[int, int]:
        return (0, -1) if self.written_ms is None else (1, self.written_ms)

    def error(self) -> KafkaError | None:
        return self.broken


@dataclass(frozen=True)
class Returned:
    """A record that the brokers took, and when."""

    topic: str
    value: bytes | None
    headers: Headers
    at_ms: int


@dataclass
class FakeKafka:
    """What survives a consumer: time, the log, the commits, and the records that were returned."""

    now_ms: int = 1_800_000_000_000
    log: dict[Place, list[FakeMessage]] = field(default_factory=lambda: defaultdict(list))
    commits: dict[Place, int] = field(default_factory=dict)
    returned: list[Returned] = field(default_factory=list)
    refusal: KafkaError | None = None
    silent: bool = False
    away: bool = False

    def write(
        self, place: Place, body: bytes | None, pairs: Headers, written_ms: int | None
    ) -> None:
        """Append a record to a partition."""
        self.log[place].append(FakeMessage(place, len(self.log[place]), body, pairs, written_ms))

    def consumer(self, options: dict[str, Any]) -> "FakeConsumer":
        """Returns: a member that is given every partition, from its committed offset on."""
        return FakeConsumer(self, options)

    def producer(self, options: dict[str, Any]) -> "FakeProducer":
        """Returns: a producer whose records arrive at `flush`."""
        return FakeProducer(self, options)


class FakeConsumer:
    """A member of the group; its callbacks run in `poll`, as the client's do."""

    def __init__(self, kafka: FakeKafka, options: dict[str, Any]) -> None:
        self.kafka = kafka
        self.options = options
        self.paused: set[Place] = set()
        self.closed = False
        self._position = dict(kafka.commits)
        self._commits: list[list[TopicPartition]] = []

    def subscribe(self, topics: list[str], **callbacks: Callable[..., None]) -> None:
        """Remember the topics; there is nobody to share them with."""
        self.topics, self.callbacks = topics, callbacks

    def poll(self, _timeout_s: float) -> FakeMessage | None:
        """Returns: the next record of a partition that is not paused."""
        self._serve_commits()
        for place, records in self.kafka.log.items():
            at = self._position.get(place, 0)
            if place not in self.paused and at < len(records):
                self._position[place] = at + 1
                return records[at]
        return None

    def pause(self, partitions: list[TopicPartition]) -> None:
        """Give no more of these."""
        self.paused |= {(at.topic, at.partition) for at in partitions}

    def resume(self, partitions: list[TopicPartition]) -> None:
        """Give more of these again."""
        self.paused -= {(at.topic, at.partition) for at in partitions}

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> None:
        """Commit with the next `poll`, or at once."""
        self._commits.append(offsets)
        if not asynchronous:
            self._serve_commits()

    def _serve_commits(self) -> None:
        commits, self._commits = self._commits, []
        for offsets in commits:
            error = KafkaError(KafkaError.NOT_COORDINATOR) if self.kafka.away else None
            if error is None:
                self.kafka.commits |= {(at.topic, at.partition): at.offset for at in offsets}
            self.options["on_commit"](error, offsets)

    def close(self) -> None:
        """Leave the group."""
        self.closed = True


class FakeProducer:
    """Sends when flushed; then the brokers take all, refuse all, or say nothing at all."""

    def __init__(self, kafka: FakeKafka, options: dict[str, Any]) -> None:
        self.kafka = kafka
        self.options = options
        self.dead: KafkaError | None = None
        self._queue: list[tuple[str, bytes | None, Headers, Callable[..., None]]] = []

    def produce(
        self,
        topic: str,
        value: bytes | None,
        _key: bytes | None,
        *,
        headers: Headers,
        on_delivery: Callable[..., None],
    ) -> None:
        """Queue a record."""
        if self.dead is not None:
            raise KafkaException(self.dead)
        self._queue.append((topic, value, headers, on_delivery))

    def flush(self, _timeout_s: float) -> None:
        """Deliver what is queued, unless the brokers say nothing."""
        if self.kafka.away or self.kafka.silent:
            return
        queue, self._queue = self._queue, []
        for topic, value, headers, report in queue:
            if self.kafka.refusal is None:
                self.kafka.returned.append(Returned(topic, value, headers, self.kafka.now_ms))
            report(self.kafka.refusal, None)

    def purge(self) -> None:
        """Give up what is queued."""
        queue, self._queue = self._queue, []
        for *_, report in queue:
            report(KafkaError(KafkaError._PURGE_QUEUE), None)
