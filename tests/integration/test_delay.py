"""The delay consumer as a process, against the real Kafka: never early, in order, none lost."""

import json
import signal
import subprocess
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from local.environment import inherited
from local.servers.product import COMMAND
from schemas.kafka import client_config, producer_config
from schemas.settings import KafkaSettings
from schemas.topics import DELAYS
from streams import topics_admin

SHORT = DELAYS[0]
BACK = "parse-again"
WAIT_MS = 2000


class Delays:
    """Delay consumers on topics of their own."""

    def __init__(self, settings: KafkaSettings, folder: Path) -> None:
        self.settings = settings
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._folder = folder
        self._producer = Producer(producer_config(settings))
        self._found: list[Message] = []
        reading = {"group.id": "nobody", "enable.auto.commit": False}
        self._reader = Consumer({**client_config(settings), **reading})
        self._admin = AdminClient(client_config(settings))
        endings = (
            *(delay.name for delay in DELAYS),
            *(delay.dead_letter for delay in DELAYS),
            BACK,
        )
        self._topics = [
            topic
            for topic in topics_admin.wanted(settings)
            if topic.name.removeprefix(settings.topic_prefix) in endings
        ]
        made = self._admin.create_topics(
            [
                NewTopic(topic.name, num_partitions=topic.partitions, config=topic.config)
                for topic in self._topics
            ]
        )
        for each in made.values():
            each.result()
        self._reader.assign(
            [
                TopicPartition(topic.name, number, 0)
                for topic in self._topics
                if topic.name.endswith((BACK, "-dlq"))
                for number in range(topic.partitions)
            ]
        )

    def start(self, name: str) -> None:
        """Start a delay consumer and wait until it is in its group."""
        environment = {
            **inherited(),
            "ACTIONSTREAM_TOPIC_PREFIX": self.settings.topic_prefix,
            "ACTIONSTREAM_LOG_FORMAT": "json",
            "ACTIONSTREAM_SESSION_TIMEOUT": "PT6S",
        }
        with (self._folder / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                [COMMAND, "delay"], env=environment, stdout=log, stderr=log
            )
        self.until(lambda: self.said(name, "working") != [])

    def said(self, name: str, event: str) -> list[dict[str, object]]:
        """The lines of a log that tell of an event."""
        lines = (self._folder / f"{name}.log").read_text().splitlines()
        found = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
        return [line for line in found if line["event"] == event]

    def partitions(self, name: str) -> set[str]:
        """What a consumer said last that it holds."""
        [*_, last] = self.said(name, "working")
        return set(last["partitions"])  # type: ignore[call-overload]

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something holds."""
        while not condition():
            time.sleep(0.05)

    def put(
        self,
        body: str,
        headers: list[tuple[str, bytes | None]],
        *,
        partition: int = 0,
        topic: str = SHORT.name,
    ) -> None:
        """Write a record and wait for its acknowledgement."""
        name = self.settings.topic_prefix + topic
        self._producer.produce(name, body.encode(), b"key", partition, headers=headers)
        self._producer.flush()

    def due_in(self, ms: int) -> list[tuple[str, bytes | None]]:
        """The headers of a record that is due in so many milliseconds."""
        return [
            ("gpt-id", b"demo"),
            ("not-before", str(int(time.time() * 1000) + ms).encode()),
            ("return-to", BACK.encode()),
        ]

    def returned(self, count: int) -> list[Message]:
        """Wait for so many different records. Returns: all so far, repeats included."""
        while len({message.value() for message in self._found}) < count:
            message = self._reader.poll(0.2)
            if message is not None and message.error() is None:
                self._found.append(message)
        return list(self._found)

    def committed(self) -> dict[str, int]:
        """The group's offsets by topic and partition, those at zero left out."""
        group = f"{self.settings.topic_prefix}actionstream-delay"
        asker = Consumer({**client_config(self.settings), "group.id": group})
        places = [
            TopicPartition(self.settings.topic_prefix + delay.name, number)
            for delay in DELAYS
            for number in range(2)
        ]
        found = asker.committed(places, timeout=10)
        asker.close()
        return {f"{at.topic}/{at.partition}": at.offset for at in found if at.offset > 0}

    def close(self) -> None:
        """End every process and delete the topics."""
        for process in self.processes.values():
            process.kill()
            process.wait()
        self._reader.close()
        for each in self._admin.delete_topics([topic.name for topic in self._topics]).values():
            each.result()


@pytest.fixture
def delays(tmp_path: Path) -> Iterator[Delays]:
    """Topics of this test's own; the processes are started by the test."""
    prefix = f"delay-{uuid.uuid4().hex[:12]}-"
    made = Delays(KafkaSettings().model_copy(update={"topic_prefix": prefix}), tmp_path)
    yield made
    made.close()


def test_nothing_is_early_and_the_order_is_kept(delays: Delays) -> None:
    """Each comes back after its time, as it was, in the order in which it was written."""
    delays.start("one")
    due = {}
    for number in range(30):
        headers = delays.due_in(WAIT_MS)
        due[b"%d" % number] = int(dict(headers)["not-before"] or b"")
        delays.put(str(number), headers)
    found = delays.returned(30)

    assert [message.value() for message in found] == list(due)
    for message in found:
        assert message.timestamp()[1] >= due[message.value()]
        assert message.key() == b"key"
        assert message.headers() == [("gpt-id", b"demo")]
    place = f"{delays.settings.topic_prefix}{SHORT.name}/0"
    delays.until(lambda: delays.committed() == {place: 30})


def test_kill_while_holding_loses_nothing(delays: Delays) -> None:
    """SIGKILL while records are held: nothing was committed, and the next one returns them all."""
    delays.start("one")
    due = {}
    for number in range(40):
        headers = delays.due_in(WAIT_MS + (number > 19) * 8000)
        due[b"%d" % number] = int(dict(headers)["not-before"] or b"")
        delays.put(str(number), headers, partition=number % 2)
    delays.returned(20)
    delays.processes["one"].send_signal(signal.SIGKILL)
    delays.processes["one"].wait()
    before = delays.committed()
    delays.start("two")
    found = delays.returned(40)

    assert sum(before.values()) <= 20
    times = Counter(message.value() for message in found)
    assert set(times) == set(due)
    assert all(message.timestamp()[1] >= due[message.value()] for message in found)
    # Only what was acknowledged in the last moment and not yet committed may come twice.
    assert set(times.values()) <= {1, 2}


def test_two_share_the_partitions_and_take_over(delays: Delays) -> None:
    """Each has some; when one leaves, the other has all, and what was held is returned."""
    delays.start("one")
    everything = delays.partitions("one")
    delays.start("two")
    delays.until(lambda: bool(delays.partitions("two")))
    delays.until(lambda: len(delays.partitions("one")) < len(everything))
    for number in range(20):
        delays.put(str(number), delays.due_in(3 * WAIT_MS), partition=number % 2)
    began = time.monotonic()
    delays.processes["two"].send_signal(signal.SIGTERM)
    code = delays.processes["two"].wait()
    took = time.monotonic() - began
    found = delays.returned(20)

    assert len(everything) == 2 * len(DELAYS)
    assert code == 0
    assert took < 5
    assert delays.partitions("one") == everything
    assert Counter(message.value() for message in found) == {b"%d" % n: 1 for n in range(20)}


def test_a_malformed_record_blocks_nothing(delays: Delays) -> None:
    """Without a time it waits as long as its topic says; without a stage it is put aside."""
    delays.start("one")
    back = ("return-to", BACK.encode())
    began = int(time.time() * 1000)
    delays.put("nowhere", [("not-before", b"1"), ("return-to", b"results")])
    delays.put("bare", [])
    delays.put("never", [("not-before", b"9" * 14), back])
    delays.put("whenever", [("not-before", b"soon"), back])
    delays.put("good", delays.due_in(0))
    found = {message.value(): message for message in delays.returned(5)}

    prefix = delays.settings.topic_prefix
    for body in (b"nowhere", b"bare"):
        assert found[body].topic() == f"{prefix}{SHORT.dead_letter}"
        assert dict(found[body].headers())["error"] == b"unknown_return"
    for body in (b"never", b"whenever", b"good"):
        assert found[body].topic() == f"{prefix}{BACK}"
    for body in (b"never", b"whenever"):
        assert found[body].timestamp()[1] - began >= SHORT.seconds * 1000
    assert len(delays.said("one", "a record that waits is malformed")) == 4


def test_a_missing_topic_is_waited_for(delays: Delays) -> None:
    """A record whose topic is missing is tried until the topic is made; that is said, once."""
    delays.start("one")
    prefix = delays.settings.topic_prefix
    headers = [("not-before", b"1"), ("return-to", b"index-again")]
    delays.put("waits", headers)
    told = "cannot return records; trying for ever"
    delays.until(lambda: delays.said("one", told) != [])
    delays.put("goes", delays.due_in(0), partition=1)
    delays.returned(1)
    assert f"{prefix}{SHORT.name}/0" not in delays.committed()
    delays._admin.create_topics([NewTopic(f"{prefix}index-again", 1)])[
        f"{prefix}index-again"
    ].result()
    delays.until(lambda: f"{prefix}{SHORT.name}/0" in delays.committed())
    delays._admin.delete_topics([f"{prefix}index-again"])

    assert delays.processes["one"].poll() is None
