"""Examples of every record, by topic and version: `<topic>/v<version>/<name>.json`.

Reads the JSON files of this package and nothing else. Each holds the record's headers, its value
and, where the sender sets one, its key. Those of old versions stay and hold readers to them.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Any


@dataclass(frozen=True, slots=True)
class Example:
    """One record; `key` is None where an outside producer may leave it out."""

    topic: str
    version: int
    name: str
    key: str | None
    headers: dict[str, str]
    value: dict[str, Any]


def examples() -> tuple[Example, ...]:
    """Returns: all examples, by topic, version and name."""
    return tuple(sorted(_read(), key=lambda one: (one.topic, one.version, one.name)))


def _read() -> Iterator[Example]:
    for topic in resources.files(__name__).iterdir():
        if not topic.is_dir() or topic.name.startswith("_"):
            continue
        for version in topic.iterdir():
            for file in version.iterdir():
                record = json.loads(file.read_bytes())
                yield Example(
                    topic=topic.name,
                    version=int(version.name.removeprefix("v")),
                    name=file.name.removesuffix(".json"),
                    key=record.get("key"),
                    headers=record["headers"],
                    value=record["value"],
                )
