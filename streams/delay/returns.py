"""Publishes what is due, and knows of each record whether all replicas have it.

A record that the brokers refuse is sent again after a second, for ever: nothing is given up here.
"""

from collections.abc import Callable
from typing import Any, Final

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from schemas.kafka import producer_config
from schemas.settings import KafkaSettings
from schemas.topics import MAX_MESSAGE_BYTES
from streams.delay import metrics
from streams.delay.lane import Held
from streams.logs import Seldom

log = structlog.get_logger()

_AGAIN_MS: Final = 1000
_LARGEST_BYTES: Final = 4 * MAX_MESSAGE_BYTES
_GIVE_UP_S: Final = 1.0
# The brokers had no part in it: this producer was closed.
_FORGOTTEN: Final = frozenset(
    {
        KafkaError._PURGE_QUEUE,  # noqa: SLF001 - the client's documented local error codes
        KafkaError._PURGE_INFLIGHT,  # noqa: SLF001
    }
)


class Returns:
    """The producer of the delay consumer; used by one thread."""

    def __init__(
        self,
        settings: KafkaSettings,
        options: dict[str, Any],
        *,
        now_ms: Callable[[], int],
        producer: Callable[[dict[str, Any]], Producer] = Producer,
    ) -> None:
        self._prefix = settings.topic_prefix
        self._options = {
            **producer_config(settings),
            **options,
            "message.max.bytes": _LARGEST_BYTES,
            # The client repeats for as long as brokers are away, and then the record is there once.
            "delivery.timeout.ms": 0,
            # After it a topic that is missing is told of, rather than waited for in silence.
            "topic.metadata.propagation.max.ms": 5000,
        }
        self._make = producer
        self._producer = producer(self._options)
        self._now_ms = now_ms
        self._seldom = Seldom()
        self.in_flight = 0

    def publish(self, held: Held) -> None:
        """Send a record; `settle` tells when it is acknowledged, in the record itself."""

        def reported(error: KafkaError | None, _: Message) -> None:
            self.in_flight -= 1
            if error is None:
                self._arrived(held)
            else:
                held.sent = False
                if error.code() not in _FORGOTTEN:
                    self._refused(held, error)

        try:
            self._producer.produce(
                self._prefix + held.back.topic,
                held.record.value,
                held.record.key,
                headers=list(held.back.headers),
                on_delivery=reported,
            )
        except BufferError:
            held.again_ms = self._now_ms() + _AGAIN_MS
        except KafkaException as problem:
            self._refused(held, problem.args[0])
            if problem.args[0].fatal():
                self._begin_anew()
        else:
            held.sent = True
            self.in_flight += 1

    def settle(self, within_s: float) -> None:
        """Wait until everything sent is acknowledged or refused, at most for `within_s`."""
        self._producer.flush(within_s)

    def close(self) -> None:
        """Forget what is not acknowledged: it is not committed either, so it comes back."""
        self._producer.purge()
        self._producer.flush(_GIVE_UP_S)

    def _begin_anew(self) -> None:
        # An idempotent producer that has lost its order never sends again.
        self.close()
        self._producer = self._make(self._options)

    def _arrived(self, held: Held) -> None:
        held.acknowledged = True
        topic = held.back.topic
        metrics.RETURNED.labels(topic).inc()
        metrics.LATE.labels(topic).observe(max(0, self._now_ms() - held.back.due_ms) / 1000)

    def _refused(self, held: Held, error: KafkaError) -> None:
        held.again_ms = self._now_ms() + _AGAIN_MS
        topic = held.back.topic
        metrics.FAILED.labels(topic).inc()
        if self._seldom(topic, error.name()):
            log.error(
                "cannot return records; trying for ever",
                topic=self._prefix + topic,
                reason=error.str(),
            )
