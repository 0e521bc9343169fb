"""Making the cluster's topics agree with the catalogue, and telling where they do not.

Creates what is missing and adds partitions; reports, but never deletes or shrinks, what differs.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from typing import Any, Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

from schemas.kafka import client_config
from schemas.retention import INPUT_RETENTION
from schemas.settings import KafkaSettings
from schemas.topics import (
    BULK,
    CATALOGUE,
    DELAYS,
    INPUTS,
    MAX_MESSAGE_BYTES,
    READERS,
    Topic,
    again,
    bulk,
    scaled,
)
from streams.errors import DependencyDown

_TIMEOUT_SECONDS: Final = 30
_CHECK_SECONDS: Final = 5
_DEAD_LETTER_RETENTION: Final = timedelta(days=90)
_MORE_HEADERS_BYTES: Final = 64 * 1024
_INPUT_BYTES: Final = 2 * MAX_MESSAGE_BYTES
_TRIED_BYTES: Final = _INPUT_BYTES + _MORE_HEADERS_BYTES
"""Of a record as large as an input may be, with the headers of retries or of a dead letter."""
_RETRY_SHARE: Final = 0.25


@dataclass(frozen=True, slots=True)
class Wanted:
    """A topic as it should be on the cluster."""

    name: str
    partitions: int
    replication: int
    config: dict[str, str]


@dataclass(frozen=True, slots=True)
class Drift:
    """A difference between catalogue and cluster, and whether `apply` mended it."""

    topic: str
    what: str
    mended: bool


def wanted(settings: KafkaSettings) -> list[Wanted]:
    """Returns: every topic of the catalogue, bulk twins, those of retries, all dead letters."""
    return list(chain(_live(settings), _tried_again(settings), _dead(settings)))


def _live(settings: KafkaSettings) -> Iterator[Wanted]:
    for topic in CATALOGUE:
        partitions = topic.partitions(settings.partitions)
        yield _topic(settings, topic.name, partitions, topic.retention, _INPUT_BYTES)
        if topic in BULK:
            yield _topic(settings, bulk(topic.name), partitions, topic.retention, _INPUT_BYTES)


def _tried_again(settings: KafkaSettings) -> Iterator[Wanted]:
    """Yield the topics on which records wait, and those on which they come back to their stage."""
    source: Topic[Any]
    for delay in DELAYS:
        partitions = scaled(settings.partitions, _RETRY_SHARE)
        yield _topic(settings, delay.name, partitions, INPUT_RETENTION, _TRIED_BYTES)
    for stage, source in READERS.items():
        partitions = scaled(settings.partitions, source.share * _RETRY_SHARE)
        yield _topic(settings, again(stage), partitions, INPUT_RETENTION, _TRIED_BYTES)


def _dead(settings: KafkaSettings) -> Iterator[Wanted]:
    twins = [topic.dead_letter for topic in INPUTS] + [delay.dead_letter for delay in DELAYS]
    for name in twins:
        yield _topic(settings, name, 1, _DEAD_LETTER_RETENTION, _TRIED_BYTES + _MORE_HEADERS_BYTES)


def _topic(
    settings: KafkaSettings, name: str, partitions: int, kept: timedelta, max_bytes: int
) -> Wanted:
    return Wanted(
        settings.topic_prefix + name,
        partitions,
        settings.replication_factor,
        {
            "cleanup.policy": "delete",
            "retention.ms": str(int(kept.total_seconds() * 1000)),
            "max.message.bytes": str(max_bytes),
            "min.insync.replicas": "2" if settings.replication_factor > 2 else "1",  # noqa: PLR2004
            "unclean.leader.election.enable": "false",
        },
    )


def apply(settings: KafkaSettings) -> list[Drift]:
    """Create and extend topics, set their configuration, and wait until all have leaders.

    Returns: what differed. Raises: KafkaException: the cluster does not answer or refuses.
    """
    admin = AdminClient(client_config(settings))
    before = drift(settings, admin)
    known = admin.list_topics(timeout=_TIMEOUT_SECONDS).topics
    topics = wanted(settings)
    missing = [topic for topic in topics if topic.name not in known]
    if missing:
        _settle(
            admin.create_topics(
                [
                    NewTopic(
                        topic.name,
                        num_partitions=topic.partitions,
                        replication_factor=topic.replication,
                        config=topic.config,
                    )
                    for topic in missing
                ]
            )
        )
    grown = [
        NewPartitions(topic.name, topic.partitions)
        for topic in topics
        if topic.name in known and len(known[topic.name].partitions) < topic.partitions
    ]
    if grown:
        _settle(admin.create_partitions(grown))
    changed = {each.topic for each in before if each.what.startswith("config ")}
    if changed:
        _settle(
            admin.incremental_alter_configs(
                [_alteration(topic) for topic in topics if topic.name in changed]
            )
        )
    _await_leaders(admin, {topic.name for topic in topics})
    return before


def check(settings: KafkaSettings) -> None:
    """Return if the brokers answer and every topic is there.

    Raises: DependencyDown: they do not answer, or a topic is missing.
    """
    # librdkafka writes what it cannot reach to the log itself, once a second; here it is raised.
    client = AdminClient({**client_config(settings), "log_level": 0})
    try:
        known = client.list_topics(timeout=_CHECK_SECONDS).topics
    except KafkaException as error:
        raise DependencyDown("kafka", "the brokers do not answer") from error
    missing = sorted(topic.name for topic in wanted(settings) if topic.name not in known)
    if missing:
        first, more = missing[0], len(missing) - 1
        also = f" and {more} more" if more else ""
        detail = f"topic {first}{also} missing; run `actionstream topics apply`"
        raise DependencyDown("kafka", detail)


def _alteration(topic: Wanted) -> ConfigResource:
    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        for name, value in topic.config.items()
    ]
    return ConfigResource(ResourceType.TOPIC, topic.name, incremental_configs=entries)


def drift(settings: KafkaSettings, admin: AdminClient | None = None) -> list[Drift]:
    """Returns: every difference between the catalogue and the cluster.

    Raises: KafkaException: the cluster does not answer.
    """
    client = admin or AdminClient(client_config(settings))
    known = client.list_topics(timeout=_TIMEOUT_SECONDS).topics
    found: list[Drift] = []
    present = [topic for topic in wanted(settings) if topic.name in known]
    configs = _configs(client, present)
    for topic in wanted(settings):
        if topic.name not in known:
            found.append(Drift(topic.name, "missing", mended=True))
            continue
        count = len(known[topic.name].partitions)
        if count != topic.partitions:
            what = f"{count} partitions instead of {topic.partitions}"
            found.append(Drift(topic.name, what, mended=count < topic.partitions))
        for name, value in topic.config.items():
            actual = configs[topic.name].get(name)
            if actual != value:
                what = f"config {name} is {actual} instead of {value}"
                found.append(Drift(topic.name, what, mended=True))
    return found


def _configs(admin: AdminClient, topics: list[Wanted]) -> dict[str, dict[str, str | None]]:
    if not topics:
        return {}
    resources = [ConfigResource(ResourceType.TOPIC, topic.name) for topic in topics]
    answers = admin.describe_configs(resources, request_timeout=_TIMEOUT_SECONDS)
    return {
        resource.name: {name: entry.value for name, entry in future.result().items()}
        for resource, future in answers.items()
    }


def _settle(futures: dict[Any, Any]) -> None:
    for future in futures.values():
        future.result()


def _await_leaders(admin: AdminClient, names: set[str]) -> None:
    """Wait until each partition has a leader: it has none for a moment after its creation."""
    end = time.monotonic() + _TIMEOUT_SECONDS
    while True:
        known = admin.list_topics(timeout=_TIMEOUT_SECONDS).topics
        waiting = [
            name
            for name in names
            if name not in known
            or any(partition.leader < 0 for partition in known[name].partitions.values())
        ]
        if not waiting:
            return
        if time.monotonic() > end:
            message = f"no leader after {_TIMEOUT_SECONDS} s: {', '.join(sorted(waiting))}"
            raise KafkaException(message)
        time.sleep(0.1)
