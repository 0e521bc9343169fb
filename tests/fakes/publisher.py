"""A publisher that keeps what it is given."""

import asyncio
from dataclasses import dataclass, field

from streams.errors import DependencyDown
from streams.stage import Record


@dataclass
class FakePublisher:
    """Fails the first `failing` times, as a broker that is away does, and tells by `failed`."""

    failing: int = 0
    failed: asyncio.Event = field(default_factory=asyncio.Event)
    records: list[Record] = field(default_factory=list)

    async def publish(self, records: tuple[Record, ...]) -> None:
        if self.failing > 0:
            self.failing -= 1
            self.failed.set()
            raise DependencyDown("kafka", "away")
        self.records.extend(records)

    def topics(self) -> list[str]:
        return [record.topic for record in self.records]
