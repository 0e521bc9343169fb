"""What may be done with webhooks, as records say it, and which events they get."""

from collections.abc import Iterable
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from schemas.events import EventType
from schemas.messages import Message

DELIVERABLE: Final = tuple(kind for kind in EventType if not kind.startswith("webhook."))
"""What endpoints can choose from. Events of webhooks themselves are not among them, since what a
delivery brings about would be delivered again; a test goes to its own endpoint, whatever it chose.
"""

Url = Annotated[str, StringConstraints(min_length=8, max_length=2048)]
Description = Annotated[str, StringConstraints(max_length=500)]
EventPattern = Annotated[
    str, StringConstraints(pattern=r"^(\*|[a-z]+\.(\*|[a-z_]+))$", max_length=64)
]
EventPatterns = Annotated[tuple[EventPattern, ...], Field(min_length=1, max_length=50)]
Sealed = Annotated[str, StringConstraints(max_length=512)]


def matches(patterns: Iterable[str], kind: str) -> bool:
    """Returns: whether an endpoint with these patterns gets events of this type."""
    if kind not in DELIVERABLE:
        return False
    return any(pattern in {"*", kind, f"{kind.partition('.')[0]}.*"} for pattern in patterns)


class CreateWebhook(Message):
    """Make an endpoint; its secret is sealed at the edge."""

    do: Literal["create"] = "create"
    url: Url
    description: Description | None = None
    events: EventPatterns = ("*",)
    secret: Sealed


class UpdateWebhook(Message):
    """Change an endpoint; what is left out stays. A secret comes before the ones that it had."""

    do: Literal["update"] = "update"
    url: Url | None = None
    description: Description | None = None
    events: EventPatterns | None = None
    state: Literal["active", "paused"] | None = None
    secret: Sealed | None = None
    old_secrets_end_at: AwareDatetime | None = Field(
        default=None, description="Until when those that it had sign too; with a new secret only."
    )
    if_version: int | None = None


class DeleteWebhook(Message):
    """Remove an endpoint and its deliveries."""

    do: Literal["delete"] = "delete"


class TestWebhook(Message):
    """Deliver a `webhook.test` event to it, whatever its filter says."""

    __test__ = False

    do: Literal["test"] = "test"


class Redeliver(Message):
    """Deliver again: these deliveries, or all of a time that ended in these states."""

    do: Literal["redeliver"] = "redeliver"
    delivery_ids: tuple[str, ...] = Field(default=(), max_length=500)
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    only_failed: bool = True


class PauseWebhook(Message):
    """Pause an endpoint that fails; the workers' own, and void once it has worked again."""

    do: Literal["pause"] = "pause"
    reason: Annotated[str, StringConstraints(max_length=500)]
    version: int = Field(description="The endpoint's version when it failed.")
    failures: int
    failing_since: AwareDatetime


class ChangeWebhook(Message):
    """Make, change, remove or test an endpoint of webhooks, or deliver to it again."""

    webhook_id: str
    change: Annotated[
        CreateWebhook | UpdateWebhook | DeleteWebhook | TestWebhook | Redeliver | PauseWebhook,
        Field(discriminator="do"),
    ]
