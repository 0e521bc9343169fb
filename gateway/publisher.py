"""Publishes request records: acknowledged by all replicas, or an error that says what is known.

One librdkafka producer with a thread that serves its delivery reports.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from gateway import kafka
from gateway.errors import MaybePublished, QueueFull, Unavailable
from gateway.settings import GatewaySettings
from schemas.envelope import Headers
from schemas.kafka import producer_config
from schemas.topics import MAX_MESSAGE_BYTES

_POLL_S = 0.1
# With these, librdkafka never handed the record to a broker.
_NEVER_SENT = frozenset(
    {
        KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001 - the client's documented local error codes
        KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.NOT_ENOUGH_REPLICAS,
    }
)


class Publisher:
    """Sends records and waits for their acknowledgement. Close it to send what is queued."""

    def __init__(self, settings: GatewaySettings, published: Callable[[str, str], None]) -> None:
        self._prefix = settings.topic_prefix
        self._timeout_s = settings.publish_timeout.total_seconds()
        self._published = published
        self._options = {
            **producer_config(settings),
            **kafka.options(settings, "publisher"),
            "delivery.timeout.ms": int(self._timeout_s * 1000),
            "request.timeout.ms": max(1000, int(self._timeout_s * 500)),
            "queue.buffering.max.messages": settings.max_queued_records,
            "message.max.bytes": MAX_MESSAGE_BYTES,
            "topic.metadata.propagation.max.ms": 3000,
        }
        self._producer = Producer(self._options)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="kafka-publisher", daemon=True)
        self._thread.start()

    async def publish(self, topic: str, key: str, value: bytes, headers: Headers) -> None:
        """Publish one record; returns once all in-sync replicas have it.

        Args:
            topic: name without the installation's prefix.
            key: the id whose order matters.
            value: JSON of the topic's message.
            headers: the envelope.

        Raises:
            QueueFull: nothing was sent, because too many records wait.
            MaybePublished: not acknowledged in time; it may be in the log all the same.
            Unavailable: the brokers refused it; it is not in the log.
        """
        loop = asyncio.get_running_loop()
        delivered: asyncio.Future[None] = loop.create_future()

        def report(error: KafkaError | None, _: Message) -> None:
            # The loop may be closed when the last reports of a shutdown come in.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_settle, delivered, error)

        try:
            self._producer.produce(
                self._prefix + topic, value, key, headers=list(headers), on_delivery=report
            )
        except BufferError as error:
            self._published(topic, "refused")
            raise QueueFull("too many requests wait for the brokers; try again") from error
        except KafkaException as error:
            self._published(topic, "refused")
            if error.args[0].fatal():
                # An idempotent producer that has lost its order never sends again.
                self._producer = Producer(self._options)
            raise Unavailable("the brokers cannot take the request now; try again") from error
        await self._delivery(topic, delivered)

    async def _delivery(self, topic: str, delivered: asyncio.Future[None]) -> None:
        try:
            # The delivery timeout is the producer's own; this one only guards against its thread.
            await asyncio.wait_for(delivered, self._timeout_s + 2)
        except (TimeoutError, MaybePublished) as error:
            self._published(topic, "unknown")
            raise MaybePublished(
                "the brokers did not acknowledge in time, so the request may have been accepted; "
                "repeat it with the idempotency_key given here"
            ) from error
        except Unavailable:
            self._published(topic, "refused")
            raise
        self._published(topic, "acknowledged")

    def ping(self, timeout_s: float) -> None:
        """Ask a broker for the results topic's metadata; blocks.

        Raises:
            KafkaException: no broker answered in time.
        """
        self._producer.list_topics(self._prefix + "results", timeout=timeout_s)

    def close(self, timeout_s: float = 5.0) -> None:
        """Send what is queued, at most for `timeout_s`, and end the thread; blocks."""
        self._producer.flush(timeout_s)
        self._stopping.set()
        self._thread.join(timeout_s)

    def _serve(self) -> None:
        while not self._stopping.is_set():
            self._producer.poll(_POLL_S)


def _settle(delivered: "asyncio.Future[None]", error: Any) -> None:  # noqa: ANN401
    if delivered.done():
        return
    if error is None:
        delivered.set_result(None)
    elif error.code() in _NEVER_SENT:
        delivered.set_exception(Unavailable("the brokers cannot take the request now; try again"))
    else:
        delivered.set_exception(MaybePublished(error.name()))
