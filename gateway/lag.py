"""How many records wait for the first stage, asked of the brokers without joining a group."""

import threading
from typing import Final

from confluent_kafka import Consumer, KafkaException, TopicPartition

from gateway import kafka
from schemas.settings import KafkaSettings
from schemas.topics import PROCESS_DOCUMENT, group

_TIMEOUT_S: Final = 2.0


class IntakeLag:
    """Compares what the group has committed with the ends of `process-document`.

    Commits are a few seconds behind the work, so records that were just finished are counted too.

    It asks as a consumer that never subscribes: librdkafka 2.16 ends the process (segmentation
    fault in `rd_kafka_cgrp_op`) when its admin client asks for a group's offsets and the
    coordinator is just changing, since that client has no group of its own.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._topic = settings.topic_prefix + PROCESS_DOCUMENT.name
        self._using = threading.Lock()
        self._consumer = Consumer(
            {
                **kafka.options(settings, "backlog"),
                "group.id": settings.topic_prefix + group("receive"),
                "enable.auto.commit": False,
            }
        )

    def read(self) -> int:
        """Returns: records that no worker has begun with, and a few more; blocks.

        Raises:
            KafkaException: the brokers do not answer in time.
        """
        with self._using:
            asking = self._consumer
            found = asking.list_topics(self._topic, timeout=_TIMEOUT_S).topics[self._topic]
            if found.error is not None:
                raise KafkaException(found.error)
            places = [TopicPartition(self._topic, number) for number in found.partitions]
            waiting = 0
            for at in asking.committed(places, timeout=_TIMEOUT_S):
                begin, end = asking.get_watermark_offsets(at, timeout=_TIMEOUT_S)
                # Its offset is negative where the group has committed nothing.
                waiting += end - max(begin, at.offset)
            return max(0, waiting)

    def close(self) -> None:
        """Close the connection; blocks while something is being read."""
        with self._using:
            self._consumer.close()
