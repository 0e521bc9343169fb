"""Tells events as the workers do: numbered rows, and the record that wakes."""

import json
import uuid
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Producer
from sqlalchemy import text
from sqlalchemy.engine import Engine

from schemas.topics import EVENTS
from streams.settings import Settings

_COUNT = text(
    "INSERT INTO event_counters AS c (gpt_id, last) VALUES (:gpt_id, :count) "
    "ON CONFLICT (gpt_id) DO UPDATE SET last = c.last + :count RETURNING last"
)
_ENTER = text(
    "INSERT INTO events (gpt_id, sequence, event_id, type, subject, object_id, batch_id, data) "
    "VALUES (:gpt_id, :sequence, :event_id, :type, :subject, :object_id, :batch_id, "
    "cast(:data AS jsonb))"
)
_FORGET = (
    text("DELETE FROM events WHERE gpt_id = :gpt_id AND sequence <= :upto"),
    text("UPDATE event_counters SET forgotten_sequence = :upto WHERE gpt_id = :gpt_id"),
)


@dataclass
class Teller:
    """Writes events of one tenant."""

    engine: Engine
    producer: Producer
    topic: str
    gpt_id: str

    def tell(self, *types: str, wake: bool = True, **values: Any) -> list[int]:
        """Returns: the numbers of these events, committed and told of in one piece."""
        kept = {"subject": None, "object_id": "doc_1", "batch_id": None, "data": {}} | values
        kept["data"] = json.dumps(kept["data"])
        with self.engine.begin() as connection:
            given = {"gpt_id": self.gpt_id, "count": len(types)}
            last = connection.execute(_COUNT, given).scalar_one()
            numbers = list(range(last - len(types) + 1, last + 1))
            rows = [
                {
                    **kept,
                    "gpt_id": self.gpt_id,
                    "sequence": number,
                    "event_id": f"evt_{uuid.uuid4().hex}",
                    "type": one,
                }
                for number, one in zip(numbers, types, strict=True)
            ]
            connection.execute(_ENTER, rows)
        if wake:
            self.wake()
        return numbers

    def wake(self) -> None:
        """Publish a record on the topic; the rows are what counts."""
        self.producer.produce(self.topic, b"{}", self.gpt_id.encode())
        self.producer.flush(10)

    def forget(self, upto: int) -> None:
        """Remove events for their age."""
        with self.engine.begin() as connection:
            for statement in _FORGET:
                connection.execute(statement, {"gpt_id": self.gpt_id, "upto": upto})


def teller(settings: Settings, engine: Engine) -> Teller:
    """Returns: what writes events of a tenant that nobody else has."""
    producer = Producer({"bootstrap.servers": settings.kafka_bootstrap})
    return Teller(
        engine, producer, settings.topic_prefix + EVENTS.name, f"told-{uuid.uuid4().hex[:8]}"
    )
