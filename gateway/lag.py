"""How many records wait for the first stage, asked of the brokers without joining a group."""

import threading
from typing import Final

from confluent_kafka import Consumer, KafkaException, TopicPartition

from gateway import kafka
from schemas.settings import KafkaSettings
from schemas.topics import PROCESS_DOCUMENT

_TIMEOUT_S: Final = 2.0
_GROUPS: Final = ("actionstream-all", "actionstream-intake")
"""The consumer groups that may work on documents first; an installation runs one of them."""


class IntakeLag:
    """Compares what the groups have committed with the ends of `process-document`.

    Commits are a few seconds behind the work, so records that were just finished are counted too.

    It asks as consumers that never subscribe: librdkafka 2.16 ends the process (segmentation fault
    in `rd_kafka_cgrp_op`) when its admin client asks for a group's offsets and the coordinator is
    just changing, since that client has no group of its own.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._topic = settings.topic_prefix + PROCESS_DOCUMENT.name
        self._using = threading.Lock()
        self._consumers = [
            Consumer(
                {
                    **kafka.options(settings, "backlog"),
                    "group.id": settings.topic_prefix + name,
                    "enable.auto.commit": False,
                }
            )
            for name in _GROUPS
        ]

    def read(self) -> int:
        """Returns: records that no worker has begun with, and a few more; blocks.

        Raises:
            KafkaException: the brokers do not answer in time.
        """
        with self._using:
            asking = self._consumers[0]
            found = asking.list_topics(self._topic, timeout=_TIMEOUT_S).topics[self._topic]
            if found.error is not None:
                raise KafkaException(found.error)
            places = [TopicPartition(self._topic, number) for number in found.partitions]
            done = self._committed(places)
            waiting = 0
            for place in places:
                begin, end = asking.get_watermark_offsets(place, timeout=_TIMEOUT_S)
                waiting += end - max(begin, done[place.partition])
            return max(0, waiting)

    def close(self) -> None:
        """Close the connections; blocks while something is being read."""
        with self._using:
            for consumer in self._consumers:
                consumer.close()

    def _committed(self, places: list[TopicPartition]) -> dict[int, int]:
        """Returns: by partition the offset of the group that is furthest; one is long unused."""
        furthest = dict.fromkeys((place.partition for place in places), 0)
        for consumer in self._consumers:
            for at in consumer.committed(places, timeout=_TIMEOUT_S):
                # Negative where the group has committed nothing.
                furthest[at.partition] = max(at.offset, furthest[at.partition])
        return furthest
