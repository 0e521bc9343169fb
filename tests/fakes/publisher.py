"""A publisher that keeps what it is given."""

from dataclasses import dataclass, field

from streams.errors import DependencyDown
from streams.stage import Record


@dataclass
class FakePublisher:
    """Fails the first `failing` times, as a broker that is away does."""

    failing: int = 0
    records: list[Record] = field(default_factory=list)

    async def publish(self, records: tuple[Record, ...]) -> None:
        if self.failing > 0:
            self.failing -= 1
            raise DependencyDown("kafka", "away")
        self.records.extend(records)

    def topics(self) -> list[str]:
        return [record.topic for record in self.records]
