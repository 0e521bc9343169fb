"""A record as it is on the wire, coming in or going out."""

from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from schemas.envelope import Envelope, Headers
from streams.stage import Output


@dataclass(frozen=True, slots=True)
class Incoming:
    """A record to be worked off.

    `leaving` tells, cheaply and at any time, whether this worker is about to lose the partition.
    """

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    leaving: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Record:
    """A record to publish."""

    topic: str
    key: bytes | None
    value: bytes
    headers: Headers

    @classmethod
    def of(cls, output: Output, envelope: Envelope, *, reply_topic: str) -> "Record":
        """Returns: the record of an output; results go to the requester's own reply topic."""
        topic = output.topic
        headers = (output.envelope or envelope).of(topic.schema_name)
        name = reply_topic if topic.kind == "result" else topic.name
        value = output.message.model_dump_json().encode()
        return cls(name, output.key.encode(), value, headers.to_headers())

    def to_json(self) -> dict[str, Any]:
        """Returns: the record as JSON, its value in base64 where it is not UTF-8."""
        data: dict[str, Any] = {
            "topic": self.topic,
            "key": None if self.key is None else b64encode(self.key).decode(),
            "headers": [[name, b64encode(value).decode()] for name, value in self.headers],
        }
        # A raw value may hold bytes that are not UTF-8, or NUL, which Postgres' JSON refuses.
        if b"\0" in self.value or not _is_text(self.value):
            return {**data, "base64": True, "value": b64encode(self.value).decode()}
        return {**data, "value": self.value.decode()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Record":
        """Returns: the record that `to_json` wrote."""
        value = data["value"]
        return cls(
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


def holds_nul(value: object) -> bool:
    """Returns: whether a text in nested data holds U+0000, which Postgres cannot store."""
    match value:
        case str():
            return "\0" in value
        case dict():
            return any(holds_nul(key) or holds_nul(each) for key, each in value.items())
        case list() | tuple():
            return any(map(holds_nul, value))
        case _:
            return False
