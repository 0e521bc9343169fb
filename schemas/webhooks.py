"""What may be done with webhooks, as records say it."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from schemas.messages import Message

Url = Annotated[str, StringConstraints(min_length=8, max_length=2048)]
EventPattern = Annotated[
    str, StringConstraints(pattern=r"^(\*|[a-z]+\.(\*|[a-z_]+))$", max_length=64)
]
Sealed = Annotated[str, StringConstraints(max_length=512)]


class CreateWebhook(Message):
    """Make an endpoint; its secret is sealed at the edge."""

    do: Literal["create"] = "create"
    url: Url
    description: Annotated[str, StringConstraints(max_length=500)] | None = None
    events: Annotated[tuple[EventPattern, ...], Field(min_length=1, max_length=50)] = ("*",)
    secret: Sealed


class UpdateWebhook(Message):
    """Change an endpoint; what is left out stays. A secret comes before the ones that it had."""

    do: Literal["update"] = "update"
    url: Url | None = None
    description: Annotated[str, StringConstraints(max_length=500)] | None = None
    events: Annotated[tuple[EventPattern, ...], Field(min_length=1, max_length=50)] | None = None
    state: Literal["active", "paused"] | None = None
    secret: Sealed | None = None
    drop_old_secrets: bool = False
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


class ChangeWebhook(Message):
    """Make, change, remove or test an endpoint of webhooks, or deliver to it again."""

    webhook_id: str
    change: Annotated[
        CreateWebhook | UpdateWebhook | DeleteWebhook | TestWebhook | Redeliver,
        Field(discriminator="do"),
    ]
