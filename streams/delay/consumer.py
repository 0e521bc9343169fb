"""Reads the retry topics, holds each record until it is due, and commits what was returned.

One thread does everything. Nothing is committed before its return is acknowledged by all replicas,
so whatever kills this process, the next owner of the partition reads again what was held.
"""

import logging
import os
import socket
import time
from collections.abc import Callable
from threading import Event
from typing import Any, Final

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from schemas.kafka import client_config
from schemas.topics import DELAYS
from streams.delay import metrics
from streams.delay.decision import Waiting, decide
from streams.delay.lane import Held, Lane
from streams.delay.returns import Returns
from streams.logs import Seldom
from streams.settings import ConsumerSettings

log = structlog.get_logger()

_POLL_S: Final = 0.5
_FLUSH_S: Final = 0.1
_LEAVE_S: Final = 1.0
_READ_AHEAD_KIB: Final = 4096

Place = tuple[str, int]


def unix_ms() -> int:
    """Returns: the wall clock, rounded down, so that nothing is ever early."""
    return int(time.time() * 1000)


class DelayConsumer:
    """One member of the group that holds what waits."""

    def __init__(
        self,
        settings: ConsumerSettings,
        *,
        consumer: Callable[[dict[str, Any]], Consumer] = Consumer,
        producer: Callable[[dict[str, Any]], Producer] = Producer,
        now_ms: Callable[[], int] = unix_ms,
    ) -> None:
        self._now_ms = now_ms
        self._seldom = Seldom()
        self._owner = f"{socket.gethostname()}:{os.getpid()}"
        self._delays = {settings.topic_prefix + delay.name: delay for delay in DELAYS}
        self._lanes: dict[Place, Lane] = {}
        self._paused: set[Place] = set()
        both = {
            "client.id": "actionstream-delay",
            "error_cb": self._away,
            "logger": logging.getLogger("streams.delay"),
            "log.connection.close": False,
            "reconnect.backoff.max.ms": 2000,
            "socket.keepalive.enable": True,
        }
        self._returns = Returns(settings, both, now_ms=now_ms, producer=producer)
        session_ms = int(settings.session_timeout.total_seconds() * 1000)
        self._consumer = consumer(
            {
                **client_config(settings),
                **both,
                "group.id": f"{settings.topic_prefix}actionstream-delay",
                "partition.assignment.strategy": "cooperative-sticky",
                "session.timeout.ms": session_ms,
                "heartbeat.interval.ms": session_ms // 5,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "on_commit": self._committed,
                "fetch.wait.max.ms": 250,
                "queued.max.messages.kbytes": _READ_AHEAD_KIB,
                # Topics that are made later are found within this time.
                "topic.metadata.refresh.interval.ms": 10_000,
            }
        )

    def run(self, stop: Event) -> None:
        """Hold and return records until told to stop; then leave the group in order."""
        self._consumer.subscribe(
            list(self._delays),
            on_assign=self._assigned,
            on_revoke=self._revoked,
            on_lost=self._lost,
        )
        try:
            while not stop.is_set():
                self.step(self._pause_s())
            log.info("stopping", owner=self._owner)
        finally:
            self._leave()

    def step(self, wait_s: float) -> None:
        """Take what is there, return what is due, commit what was returned."""
        message = self._consumer.poll(wait_s)
        while message is not None and not self._take(message).full:
            message = self._consumer.poll(0)
        now_ms = self._now_ms()
        for lane in self._lanes.values():
            for held in lane.due(now_ms):
                self._returns.publish(held)
        if self._returns.in_flight:
            self._returns.settle(_FLUSH_S)
        self._settle()

    def _pause_s(self) -> float:
        if self._returns.in_flight:
            return 0
        times = [at for lane in self._lanes.values() if (at := lane.next_ms()) is not None]
        soonest = min(times, default=None)
        if soonest is None:
            return _POLL_S
        return min(max(soonest - self._now_ms(), 0) / 1000, _POLL_S)

    def _take(self, message: Message) -> Lane:
        """Returns: the lane that the record is in, an empty one if it was none."""
        error = message.error()
        if error is not None:
            self._troubled(error)
            return Lane()
        topic, partition = message.topic(), message.partition()
        kind, written_ms = message.timestamp()
        record = Waiting(
            offset=message.offset(),
            key=message.key(),
            value=message.value(),
            headers=tuple(message.headers() or ()),
            written_ms=written_ms if kind else None,
        )
        delay = self._delays[topic]
        back = decide(delay, record, self._now_ms())
        if back.problem is not None:
            metrics.MALFORMED.labels(delay.name).inc()
            log.warning(
                "a record that waits is malformed",
                topic=topic,
                partition=partition,
                offset=record.offset,
                goes_to=back.topic,
                reason=back.problem,
            )
        lane = self._lanes.setdefault((topic, partition), Lane())
        lane.add(Held(record, back))
        return lane

    def _settle(self) -> None:
        """Commit as far as all is acknowledged; read on where there is room, and only there."""
        for place, lane in self._lanes.items():
            lane.settle()
            if lane.full and place not in self._paused:
                self._consumer.pause([TopicPartition(*place)])
                self._paused.add(place)
            elif place in self._paused and not lane.full:
                self._consumer.resume([TopicPartition(*place)])
                self._paused.discard(place)
        self._show()
        open_ones = {place: lane for place, lane in self._lanes.items() if lane.uncommitted}
        if open_ones:
            self._consumer.commit(offsets=_offsets(open_ones), asynchronous=True)
            for lane in open_ones.values():
                lane.committing = lane.done

    def _show(self) -> None:
        for topic, delay in self._delays.items():
            held = sum(lane.count for place, lane in self._lanes.items() if place[0] == topic)
            metrics.HELD.labels(delay.name).set(held)

    def _committed(self, error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        for each in partitions:
            lane = self._lanes.get((each.topic, each.partition))
            if lane is None:
                continue
            if error is None and each.error is None:
                lane.committed = max(lane.committed, each.offset)
            else:
                lane.committing = lane.committed
                self._away(error or each.error)

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.incremental_assign(partitions)
        # One that was ours before and was paused then would stay so.
        consumer.resume(partitions)
        names = sorted(f"{each.topic}/{each.partition}" for each in consumer.assignment())
        log.info("working", owner=self._owner, partitions=names)

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._returns.settle(_LEAVE_S)
        lanes = self._lanes
        leaving = {place: lanes[place] for place in _places(partitions) if place in lanes}
        for lane in leaving.values():
            lane.settle()
        returned = {place: lane for place, lane in leaving.items() if lane.done > lane.committed}
        if returned:
            try:
                consumer.commit(offsets=_offsets(returned), asynchronous=False)
            except KafkaException as problem:
                # The next owner returns them a second time, which the ledger knows how to take.
                self._away(problem.args[0])
        self._lost(consumer, partitions)

    def _lost(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        for place in _places(partitions):
            self._lanes.pop(place, None)
            self._paused.discard(place)

    def _leave(self) -> None:
        end = time.monotonic() + _LEAVE_S
        while time.monotonic() < end and (self._returns.in_flight or self._uncommitted()):
            self._returns.settle(_FLUSH_S)
            self._settle()
            self._consumer.poll(0)
        self._lanes.clear()
        self._returns.close()
        self._consumer.close()

    def _uncommitted(self) -> bool:
        return any(lane.done > lane.committed for lane in self._lanes.values())

    def _troubled(self, error: KafkaError) -> None:
        if error.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
            self._away(error)
        elif self._seldom("topics", error.str()):
            log.error("topics are missing; run `actionstream topics apply`", reason=error.str())

    def _away(self, error: KafkaError) -> None:
        if self._seldom("kafka", error.name()):
            log.warning("waiting", dependency="kafka", reason=error.str())


def _places(partitions: list[TopicPartition]) -> list[Place]:
    return [(each.topic, each.partition) for each in partitions]


def _offsets(lanes: dict[Place, Lane]) -> list[TopicPartition]:
    return [TopicPartition(*place, lane.done) for place, lane in lanes.items()]
