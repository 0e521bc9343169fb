"""HTTP bodies of webhooks: endpoints, and what was delivered to them."""

from datetime import datetime
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from schemas.api.model import Input, Moment, Output, Parameters, Text
from schemas.json_kinds import NUMBER
from schemas.states import DeliveryState, WebhookState
from schemas.webhooks import DELIVERABLE, EventPattern, matches

MAX_OVERLAP_S: Final = 30 * 86_400
DEFAULT_OVERLAP_S: Final = 86_400
"""Long enough to bring a new secret to every receiver without haste."""

MAX_IDS: Final = 500
_URL: Final = r"^https?://[^\s/?#@]+[^\s#]*$"


def _known(pattern: str) -> str:
    if pattern != "*" and not any(matches((pattern,), kind) for kind in DELIVERABLE):
        raise ValueError("no event has this type; docs/reference/events.md lists them")
    return pattern


Url = Annotated[Text, StringConstraints(min_length=8, max_length=2048, pattern=_URL)]
Description = Annotated[Text, StringConstraints(max_length=500)]
Events = Annotated[
    list[Annotated[EventPattern, AfterValidator(_known)]], Field(min_length=1, max_length=50)
]
_EVENTS: Final = "Types of events, such as batch.completed, or document.*, or * for all."


class WebhookInput(Input):
    """An endpoint to make."""

    url: Url = Field(description="Where events are sent by POST; https, without credentials.")
    description: Description | None = Field(default=None, description="What it is for.")
    events: Events = Field(default=["*"], description=_EVENTS)


class WebhookPatch(Input):
    """What to change of an endpoint; what is left out stays."""

    url: Url | None = Field(default=None, description="Where events are sent from now on.")
    description: Description | None = Field(default=None, description="What it is for.")
    events: Events | None = Field(default=None, description=_EVENTS)
    state: Literal["active", "paused"] | None = Field(
        default=None, description="active: what has waited is delivered. paused: it waits."
    )
    if_version: Annotated[int, Field(ge=0, lt=10**15), NUMBER] | None = Field(
        default=None, description="Only if this is its version, else 412."
    )

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set - {"if_version"}:
            raise ValueError("give at least one of url, description, events and state")
        return self


class SecretRotation(Input):
    """How a new secret takes the place of those before it."""

    overlap_s: Annotated[int, Field(ge=0, le=MAX_OVERLAP_S), NUMBER] = Field(
        default=DEFAULT_OVERLAP_S,
        description="Seconds for which the old secrets sign too; 0: they end at once.",
    )


class Webhook(Output):
    """An endpoint."""

    webhook_id: str = Field(description="Its id.")
    url: str = Field(description="Where events are sent.")
    description: str | None = Field(description="What it is for.")
    events: list[str] = Field(description="Types of the events that it gets.")
    state: WebhookState = Field(description="A paused one gets nothing; its events wait.")
    paused_reason: str | None = Field(description="Why it is paused.")
    failures: int = Field(description="Attempts in a row that it did not take.")
    failing_since: datetime | None = Field(description="Since when it takes nothing.")
    held_until: datetime | None = Field(description="When it is tried again, while it fails.")
    old_secrets_end_at: datetime | None = Field(
        description="Until when the secrets before the present one sign too."
    )
    version: int = Field(description="Rises with each change.")
    created_at: datetime
    updated_at: datetime


class WebhookDetail(Webhook):
    """An endpoint, with how much waits for it."""

    pending: int = Field(description="Deliveries that wait; not counted above 10,000.")
    oldest_pending_at: datetime | None = Field(description="Since when the first of them waits.")


class WebhookPage(Output):
    """A page of endpoints, oldest first."""

    items: list[Webhook]
    next_cursor: str | None = Field(description="Give it as cursor for the next page.")
    has_more: bool = Field(description="Whether there is a next page.")


class IssuedWebhook(Webhook):
    """An endpoint with its new secret: here and never again."""

    secret: str | None = Field(
        description="whsec_…, to be kept now; null where a repeat of the request is answered."
    )
    pending: bool = Field(description="It is not stored yet; ask for the request's state.")
    request_id: str = Field(description="Id of the request.")
    status_url: str = Field(description="Where to ask for the request's state.")


class DeliveryFilter(Parameters):
    """Which deliveries a list shows."""

    state: DeliveryState | None = Field(default=None, description="In this state.")
    type: EventPattern | None = Field(default=None, description="Of events of this type.")
    limit: int = Field(default=20, ge=1, le=100, description="Most items of a page.")
    cursor: Annotated[str, StringConstraints(max_length=1024)] | None = Field(
        default=None, description="next_cursor of the page before; the rest unchanged."
    )


class Delivery(Output):
    """One event's delivery to an endpoint, with its last attempt."""

    delivery_id: str = Field(description="The webhook-id of all its attempts.")
    event_type: str = Field(description="What happened.")
    sequence: int = Field(description="The event's number within the GPT.")
    state: DeliveryState = Field(
        description="skipped: its event was no longer kept when its turn came."
    )
    attempts: int = Field(description="How often it was sent.")
    status_code: int | None = Field(description="What the endpoint answered last.")
    latency_ms: int | None = Field(description="How long that took.")
    excerpt: str | None = Field(description="The beginning of that answer, 1 KiB at most.")
    error: str | None = Field(description="Why the last attempt did not count: timeout, not_taken.")
    created_at: datetime = Field(description="When it was found to be due.")
    tried_at: datetime | None = Field(description="When it was sent last.")
    retry_at: datetime | None = Field(
        description="When it is tried again, once later ones no longer wait for it."
    )
    settled_at: datetime | None = Field(description="When it ended.")


class DeliveryPage(Output):
    """A page of deliveries, those of the latest events first."""

    items: list[Delivery]
    next_cursor: str | None = Field(description="Give it as cursor for the next page.")
    has_more: bool = Field(description="Whether there is a next page.")


class RedeliveryInput(Input):
    """Deliveries to send again: those named, or all of a time; not both."""

    delivery_ids: list[Annotated[Text, StringConstraints(max_length=128)]] = Field(
        default=[], max_length=MAX_IDS, description="These."
    )
    since: Moment | None = Field(
        default=None, description="Of events at or after this time (RFC 3339, with its offset)."
    )
    until: Moment | None = Field(default=None, description="Of events before this time.")
    only_failed: bool = Field(
        default=True, description="Only those that failed; else also those that were delivered."
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.delivery_ids) == bool(self.since or self.until):
            raise ValueError("give either delivery_ids, or since or until")
        return self
