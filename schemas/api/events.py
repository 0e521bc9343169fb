"""What happened, as HTTP shows it, and what a client says on the WebSocket."""

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import Field, JsonValue, StringConstraints, TypeAdapter

from schemas.api.model import Input, Output
from schemas.api.problems import ApiProblem
from schemas.api.tenants import Subject

MAX_TYPES: Final = 20
_ONE: Final = r"(\*|[a-z]+\.(\*|[a-z_]+))"
TYPES_PATTERN: Final = f"^{_ONE}(,{_ONE})*$"
MAX_PLACE_CHARS: Final = 256
"""A cursor has less than 100 characters."""

Place = Annotated[str, StringConstraints(min_length=1, max_length=MAX_PLACE_CHARS)]
EventId = Annotated[str, StringConstraints(min_length=1, max_length=128)]


class EventItem(Output):
    """Something that happened, as CloudEvents 1.0; the same JSON as on the topic `events`."""

    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    subject: str | None = Field(description="Id of what it happened to.")
    time: datetime
    datacontenttype: Literal["application/json"]
    gptid: str
    sequence: int = Field(description="Counts the GPT's events without a gap.")
    correlationid: str | None
    requestid: str | None
    batchid: str | None = Field(description="The batch that it happened in.")
    data: dict[str, JsonValue]


class EventsPage(Output):
    """Events in the order in which they happened."""

    items: list[EventItem]
    next_since: str = Field(
        description="since of the call that goes on; also as Last-Event-ID of the stream."
    )
    has_more: bool = Field(
        description="Whether more is there now; a page may have few items, or none, all the same."
    )


class StreamEnd(Output):
    """The last that a stream says: why it ends, and whether it helps to come again."""

    reason: str
    detail: str
    reconnect: bool
    problem: ApiProblem | None = None


class Authenticate(Input):
    """The first message, where the sub-protocol named no key."""

    type: Literal["authenticate"]
    token: Annotated[str, StringConstraints(min_length=1, max_length=512)]
    subject: Subject | None = Field(
        default=None, description="The end user whose events; for keys that stand for all of them."
    )


class Subscribe(Input):
    """Send me events from here on; once in a connection."""

    type: Literal["subscribe"]
    since: Place | None = Field(
        default=None, description="A cursor, or a number; absent: what happens from now on."
    )
    types: tuple[Annotated[str, StringConstraints(pattern=f"^{_ONE}$")], ...] = Field(
        default=(), max_length=MAX_TYPES
    )
    subject_id: EventId | None = None
    batch: EventId | None = None
    max_in_flight: int = Field(
        default=100, ge=1, le=1000, description="Most events that wait to be acknowledged."
    )


class Acknowledge(Input):
    """I have everything up to this cursor, which need not come again."""

    type: Literal["ack"]
    cursor: Place


class PingMessage(Input):
    """Are you there? The answer is `pong`, with the same id."""

    type: Literal["ping"]
    id: Annotated[str, StringConstraints(max_length=64)] | None = None


ClientMessage = Annotated[
    Authenticate | Subscribe | Acknowledge | PingMessage, Field(discriminator="type")
]
CLIENT_MESSAGES: Final[TypeAdapter[ClientMessage]] = TypeAdapter(ClientMessage)
