"""How many records wait for the first stage, asked of the brokers without joining a group."""

from typing import Any, Final

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from gateway import kafka
from schemas.settings import KafkaSettings
from schemas.topics import PROCESS_DOCUMENT

_TIMEOUT_S: Final = 2.0
_GROUPS: Final = ("actionstream-all", "actionstream-intake")
"""The consumer groups that may work on documents first; an installation runs one of them."""


class IntakeLag:
    """Compares what the groups have committed with the ends of `process-document`.

    Commits are a few seconds behind the work, so records that were just finished are counted too.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._topic = settings.topic_prefix + PROCESS_DOCUMENT.name
        self._groups = [settings.topic_prefix + name for name in _GROUPS]
        self._admin: Any = AdminClient(kafka.options(settings, "backlog"))

    def read(self) -> int:
        """Returns: records that no worker has begun with, and a few more; blocks.

        Raises:
            KafkaException: the brokers do not answer in time.
        """
        found = self._admin.list_topics(self._topic, timeout=_TIMEOUT_S).topics[self._topic]
        if found.error is not None:
            raise KafkaException(found.error)
        places = [TopicPartition(self._topic, number) for number in found.partitions]
        begins = self._ends(places, OffsetSpec.earliest())
        ends = self._ends(places, OffsetSpec.latest())
        done = self._committed()
        return sum(
            max(0, end - max(done.get(number, 0), begins[number])) for number, end in ends.items()
        )

    def _ends(self, places: list[TopicPartition], spec: Any) -> dict[int, int]:  # noqa: ANN401
        asked = self._admin.list_offsets(dict.fromkeys(places, spec), request_timeout=_TIMEOUT_S)
        return {place.partition: future.result().offset for place, future in asked.items()}

    def _committed(self) -> dict[int, int]:
        """Returns: by partition the offset of the group that is furthest; one is long unused."""
        furthest: dict[int, int] = {}
        for group in self._groups:
            [asked] = self._admin.list_consumer_group_offsets(
                [ConsumerGroupTopicPartitions(group)], request_timeout=_TIMEOUT_S
            ).values()
            for place in asked.result().topic_partitions:
                if place.topic == self._topic:
                    at = max(place.offset, furthest.get(place.partition, 0))
                    furthest[place.partition] = at
        return furthest
