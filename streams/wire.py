"""A record as it is on the wire, coming in or going out."""

from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from schemas.envelope import Envelope, Headers
from schemas.topics import BULK, Topic, bulk
from streams.stage import Output, Record


@dataclass(frozen=True, slots=True)
class Incoming:
    """A record to be worked off.

    `leaving` tells, cheaply and at any time, whether this worker is about to lose the partition;
    `generation` changes whenever partitions change hands.
    """

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    leaving: Callable[[], bool]
    generation: int = 0


def origin(record: Incoming) -> Headers:
    """Returns: headers that say where a record was first; none where it bears them already."""
    if any(name == "origin-topic" for name, _ in record.headers):
        return ()
    return (
        ("origin-topic", record.topic.encode()),
        ("origin-partition", str(record.partition).encode()),
        ("origin-offset", str(record.offset).encode()),
    )


def made(output: Output | Record, envelope: Envelope, *, reply_topic: str) -> Record:
    """Returns: the record of an output; results go to the requester's own reply topic."""
    if isinstance(output, Record):
        return output
    topic = output.topic
    headers = (output.envelope or envelope).of(topic.schema_name)
    name = reply_topic if topic.kind == "result" else lane(topic, headers)
    value = output.message.model_dump_json().encode()
    return Record(name, output.key.encode(), value, headers.to_headers())


def lane(topic: Topic[Any], envelope: Envelope) -> str:
    """Returns: the name of the topic that takes a record; what is of a batch has its own."""
    return bulk(topic.name) if envelope.batch_id and topic in BULK else topic.name


def to_json(record: Record) -> dict[str, Any]:
    """Returns: the record as JSON, its value in base64 where it is not UTF-8."""
    data: dict[str, Any] = {
        "topic": record.topic,
        "key": None if record.key is None else b64encode(record.key).decode(),
        "headers": [[name, b64encode(value).decode()] for name, value in record.headers],
    }
    # A raw value may hold bytes that are not UTF-8, or NUL, which Postgres' JSON refuses.
    if b"\0" in record.value or not _is_text(record.value):
        return {**data, "base64": True, "value": b64encode(record.value).decode()}
    return {**data, "value": record.value.decode()}


def from_json(data: dict[str, Any]) -> Record:
    """Returns: the record that `to_json` wrote."""
    value = data["value"]
    return Record(
        topic=data["topic"],
        key=None if data["key"] is None else b64decode(data["key"]),
        value=b64decode(value) if data.get("base64") else value.encode(),
        headers=tuple((name, b64decode(item)) for name, item in data["headers"]),
    )


def _is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True
