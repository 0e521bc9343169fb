"""Publishing from a command, which has no worker's client to publish with."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from schemas.kafka import producer_config
from schemas.settings import KafkaSettings
from streams.errors import DependencyDown
from streams.stage import Record

_TIMEOUT_S: Final = 30


class CommandPublisher:
    """Publishes records and returns when all in-sync replicas have them."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._prefix = settings.topic_prefix
        self._producer = Producer(
            {**producer_config(settings), "delivery.timeout.ms": _TIMEOUT_S * 1000}
        )

    async def publish(self, records: tuple[Record, ...]) -> None:
        """Raises: DependencyDown: at least one was not acknowledged within 30 seconds."""
        await asyncio.to_thread(self._publish, records)

    def _publish(self, records: tuple[Record, ...]) -> None:
        failed: list[KafkaError] = []

        def report(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                failed.append(error)

        with _errors():
            for record in records:
                self._producer.produce(
                    self._prefix + record.topic,
                    record.value,
                    record.key,
                    headers=list(record.headers),
                    on_delivery=report,
                )
            left = self._producer.flush(_TIMEOUT_S + 1)
        if failed or left:
            raise DependencyDown("kafka", failed[0].str() if failed else "no acknowledgement")


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except (KafkaException, BufferError) as error:
        raise DependencyDown("kafka", str(error.args[0])) from error
