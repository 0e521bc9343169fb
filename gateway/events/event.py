"""One event as a gateway holds it: read once, written once for all clients who may see the same."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateway.events.places import Places
from schemas.messages import CloudEvent


@dataclass(slots=True, eq=False)
class Event:
    """A row of `events`, and what was made of it so far.

    `end_user` is whose it is, `object_id` what it happened to, `json` the CloudEvent.
    """

    sequence: int
    type: str
    end_user: str | None
    object_id: str | None
    batch_id: str | None
    created_at: datetime
    json: str
    _frames: dict[str, bytes] = field(default_factory=dict)
    _messages: dict[str, str] = field(default_factory=dict)

    def frame(self, places: Places) -> bytes:
        """Returns: the event in the form of server-sent events."""
        found = self._frames.get(places.end_user)
        if found is None:
            text = f"id: {places.seal(self.sequence)}\nevent: {self.type}\ndata: {self.json}\n\n"
            found = self._frames[places.end_user] = text.encode()
        return found

    def message(self, places: Places) -> str:
        """Returns: the event as a message of the WebSocket."""
        found = self._messages.get(places.end_user)
        if found is None:
            cursor = places.seal(self.sequence)
            found = f'{{"type":"event","cursor":"{cursor}","event":{self.json}}}'
            self._messages[places.end_user] = found
        return found


def of(gpt_id: str, row: tuple[Any, ...]) -> Event:
    """Returns: the event of a row, whose columns are `gateway/queries/events.py:COLUMNS`."""
    sequence, event_id, type_, end_user, object_id, request_id = row[:6]
    correlation_id, batch_id, data, created_at = row[6:]
    told = CloudEvent(
        id=event_id,
        type=type_,
        subject=object_id,
        time=created_at,
        gptid=gpt_id,
        sequence=sequence,
        correlationid=correlation_id,
        requestid=request_id,
        batchid=batch_id,
        data=data,
    )
    return Event(sequence, type_, end_user, object_id, batch_id, created_at, told.model_dump_json())
