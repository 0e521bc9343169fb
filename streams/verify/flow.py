"""Whether the records that a stage still had to read have been read: ends and committed offsets.

Reads the cluster's offsets and joins no consumer group.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final, TypeVar

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from schemas import topics
from schemas.kafka import client_config
from schemas.settings import KafkaSettings
from schemas.topics import DELAYS
from streams.errors import DependencyDown

T = TypeVar("T")
Place = tuple[str, int]

_LOOK_S: Final = 0.5


def sources(stages: Iterable[str], *, held: bool = False) -> frozenset[str]:
    """Returns: the topics whose records these stages read; `held` adds the retry topics."""
    read = {name for stage in stages for name in topics.sources(stage)}
    return frozenset(read | ({delay.name for delay in DELAYS} if held else set()))


class Flow:
    """The topics that the workers read, and how far they have got."""

    def __init__(self, settings: KafkaSettings, *, timeout_s: float = 15) -> None:
        self._prefix = settings.topic_prefix
        self._timeout_s = timeout_s
        # What it would log is raised too.
        self._options = {**client_config(settings), "log_level": 0}
        self._admin = AdminClient(self._options)

    async def passed(self, topics: Collection[str], *, within_s: float) -> bool:
        """Returns: whether all that these topics hold now was worked off within this time.

        A record is worked off when a worker has acknowledged it, which it does after it has
        published all that follows from it.

        Raises: DependencyDown: Kafka does not answer.
        """
        if not topics:
            return True
        deadline = time.monotonic() + within_s
        ends = await self._asked(self._ends, topics)
        while ends:
            done = await self._asked(self._committed, ends)
            ends = {place: end for place, end in ends.items() if done.get(place, -1) < end}
            if ends and time.monotonic() > deadline:
                return False
            if ends:
                await asyncio.sleep(_LOOK_S)
        return True

    @staticmethod
    async def _asked(ask: Callable[[T], dict[Place, int]], about: T) -> dict[Place, int]:
        try:
            return await asyncio.to_thread(ask, about)
        except KafkaException as error:
            raise DependencyDown("kafka", str(error.args[0])) from error

    def _ends(self, topics: Collection[str]) -> dict[Place, int]:
        """Returns: where each partition that holds records ends now."""
        known = self._admin.list_topics(timeout=self._timeout_s).topics
        places = [
            TopicPartition(self._prefix + name, number)
            for name in topics
            if self._prefix + name in known
            for number in known[self._prefix + name].partitions
        ]
        first = self._offsets(places, OffsetSpec.earliest())
        last = self._offsets(places, OffsetSpec.latest())
        return {place: end for place, end in last.items() if end > first[place]}

    def _offsets(self, places: list[TopicPartition], which: OffsetSpec) -> dict[Place, int]:
        if not places:
            return {}
        asked = self._admin.list_offsets(
            dict.fromkeys(places, which), request_timeout=self._timeout_s
        )
        return {(at.topic, at.partition): found.result().offset for at, found in asked.items()}

    def _committed(self, ends: Mapping[Place, int]) -> dict[Place, int]:
        """Returns: the furthest that any of the installation's groups has got in each partition."""
        listed = self._admin.list_consumer_groups(request_timeout=self._timeout_s).result()
        groups = [
            group.group_id
            for group in listed.valid
            if group.group_id.startswith(f"{self._prefix}actionstream-")
        ]
        found: dict[Place, int] = {}
        for group in groups:
            for at in self._committed_by(group, ends):
                place = (at.topic, at.partition)
                found[place] = max(found.get(place, -1), at.offset)
        return found

    def _committed_by(self, group: str, ends: Mapping[Place, int]) -> list[TopicPartition]:
        # A consumer that never subscribes: librdkafka 2.16 ends the process when its admin client
        # asks for a group's offsets while the coordinator is changing.
        asking = Consumer({**self._options, "group.id": group, "enable.auto.commit": False})
        try:
            wanted = [TopicPartition(topic, number) for topic, number in ends]
            return list(asking.committed(wanted, timeout=self._timeout_s))
        finally:
            asking.close()
