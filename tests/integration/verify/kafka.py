"""The topics of an installation, read and acknowledged as its workers would."""

import asyncio
from dataclasses import dataclass

from confluent_kafka import Consumer, TopicPartition

from schemas.kafka import client_config
from streams.settings import Settings
from streams.stage import Record


@dataclass(frozen=True)
class Topics:
    """Real topics."""

    settings: Settings

    async def read(self, topic: str, count: int) -> list[Record]:
        """The first records of a topic, once there are so many."""
        return await asyncio.to_thread(self._read, topic, count)

    async def acknowledge(self, topic: str) -> None:
        """Commit the end of a topic for the workers' group."""
        await asyncio.to_thread(self._acknowledge, topic)

    def _consumer(self) -> Consumer:
        return Consumer(
            {
                **client_config(self.settings),
                "group.id": f"{self.settings.topic_prefix}actionstream-intake",
                "enable.auto.commit": False,
            }
        )

    def _places(self, consumer: Consumer, topic: str) -> list[TopicPartition]:
        name = self.settings.topic_prefix + topic
        known = consumer.list_topics(name, timeout=10).topics[name]
        return [TopicPartition(name, number, 0) for number in known.partitions]

    def _read(self, topic: str, count: int) -> list[Record]:
        consumer = self._consumer()
        consumer.assign(self._places(consumer, topic))
        found: list[Record] = []
        while len(found) < count:
            message = consumer.poll(1)
            if message is None or message.error():
                continue
            headers = tuple((name, value or b"") for name, value in message.headers() or ())
            found.append(Record(topic, message.key(), message.value() or b"", headers))
        consumer.close()
        return found

    def _acknowledge(self, topic: str) -> None:
        consumer = self._consumer()
        ends = [
            TopicPartition(each.topic, each.partition, consumer.get_watermark_offsets(each)[1])
            for each in self._places(consumer, topic)
        ]
        consumer.commit(offsets=ends, asynchronous=False)
        consumer.close()
