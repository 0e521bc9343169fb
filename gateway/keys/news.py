"""Follows `key-changed`, and knows whether it has missed anything.

News are current while a broker has said within the last second that no record is left to read. What
a worker has committed then takes the time of one record to be known; otherwise keys are read anew.
"""

import time
from collections.abc import Sequence
from typing import Final

import structlog
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition
from pydantic import ValidationError

from gateway.keys.memory import Memory
from gateway.settings import GatewaySettings
from gateway.tail import MakeConsumer, Tail
from schemas.tenants import KeyChanged
from schemas.topics import KEY_CHANGED

_ASK_EVERY_S: Final = 0.3
_ASK_TIMEOUT_S: Final = 0.5
_NEVER: Final = float("-inf")
_log = structlog.get_logger("gateway.keys")


class News:
    """The reader of `key-changed`, which tells a memory. Make and use it on one event loop."""

    def __init__(
        self, settings: GatewaySettings, memory: Memory, consumer: MakeConsumer = Consumer
    ) -> None:
        self._memory = memory
        self._next: dict[int, TopicPartition] = {}
        self._asked_at = _NEVER
        self._tail = Tail(settings, KEY_CHANGED.name, self, consumer)
        self._tail.start()

    def close(self) -> None:
        """End the thread; blocks for a poll's length."""
        self._tail.close()

    def began(self, ends: Sequence[TopicPartition]) -> None:
        """Doubt what is remembered: changes may have gone by."""
        self._next = {end.partition: end for end in ends}
        self._asked_at = _NEVER
        self._tail.on_loop(self._doubt)

    def take(self, messages: Sequence[Message]) -> None:
        """Hand on the changes."""
        for message in messages:
            self._next[message.partition()].offset = message.offset() + 1
            try:
                change = KeyChanged.model_validate_json(message.value() or b"")
            except ValidationError:
                _log.warning("unreadable news of keys", offset=message.offset())
                self._tail.on_loop(self._doubt)
            else:
                self._tail.on_loop(self._memory.forget, change.gpt_id, change.key_ids)

    def polled(self, consumer: Consumer) -> None:
        """Ask the brokers now and then whether anything is left to read."""
        now = time.monotonic()
        if now - self._asked_at < _ASK_EVERY_S:
            return
        self._asked_at = now
        try:
            ends = [
                consumer.get_watermark_offsets(place, timeout=_ASK_TIMEOUT_S)[1]
                for place in self._next.values()
            ]
        except KafkaException:
            return
        if all(place.offset >= end for place, end in zip(self._next.values(), ends, strict=True)):
            # Behind the changes that were taken before, in the order of the loop.
            self._tail.on_loop(self._memory.hear, now)

    def lost(self) -> None:
        """Say so at once."""
        self._tail.on_loop(self._memory.lose)

    def _doubt(self) -> None:
        self._memory.doubt(time.monotonic())
