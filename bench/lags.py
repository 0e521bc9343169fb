"""How many records wait for each stage, looked at while something runs, and a plot of it."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from confluent_kafka import Consumer, TopicPartition

from schemas.kafka import client_config
from schemas.settings import KafkaSettings
from schemas.topics import BULK, READERS, bulk, group

_EVERY_S: Final = 2.0
_TIMEOUT_S: Final = 10
STAGES: Final = {name: bulk(topic.name) for name, topic in READERS.items() if topic in BULK}
"""The stages of documents, each with the topic on which those of batches come."""


@dataclass
class Lags:
    """What was seen: seconds since the beginning, and by stage the records that waited then."""

    at: list[float] = field(default_factory=list)
    waiting: dict[str, list[int]] = field(default_factory=lambda: {name: [] for name in STAGES})

    def largest(self) -> dict[str, int]:
        """Returns: by stage, the most records that waited at any look."""
        return {name: max(seen, default=0) for name, seen in self.waiting.items()}


@contextmanager
def watching(settings: KafkaSettings) -> Iterator[Lags]:
    """Look at the lag of batches' documents every two seconds while in this context."""
    lags, stop = Lags(), threading.Event()
    thread = threading.Thread(target=_watch, args=(settings, lags, stop), daemon=True)
    thread.start()
    try:
        yield lags
    finally:
        stop.set()
        thread.join()


def _watch(settings: KafkaSettings, lags: Lags, stop: threading.Event) -> None:
    options = {**client_config(settings), "enable.auto.commit": False}
    consumers = {
        name: Consumer({**options, "group.id": settings.topic_prefix + group(name)})
        for name in STAGES
    }
    began = time.monotonic()
    try:
        while not stop.wait(_EVERY_S):
            seen = {
                name: _waiting(consumers[name], settings.topic_prefix + topic)
                for name, topic in STAGES.items()
            }
            lags.at.append(time.monotonic() - began)
            for name, count in seen.items():
                lags.waiting[name].append(count)
    finally:
        for consumer in consumers.values():
            consumer.close()


def _waiting(consumer: Consumer, topic: str) -> int:
    partitions = consumer.list_topics(topic, timeout=_TIMEOUT_S).topics[topic].partitions
    places = [TopicPartition(topic, number) for number in partitions]
    waiting = 0
    for place in consumer.committed(places, timeout=_TIMEOUT_S):
        _, end = consumer.get_watermark_offsets(place, timeout=_TIMEOUT_S)
        waiting += end - max(place.offset, 0)
    return waiting


def draw(path: Path, lags: Lags) -> None:
    """Draw the lag of each stage over time into the PNG file `path`."""
    import matplotlib as mpl  # noqa: PLC0415 - a large import that only this needs

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - after the choice of the backend

    figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
    for name, waiting in lags.waiting.items():
        axes.plot(lags.at, waiting, label=name)
    axes.set(
        xlabel="seconds", ylabel="records that wait", title="Lag of a batch's documents by stage"
    )
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper right")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120, metadata={"Software": None})
    plt.close(figure)
