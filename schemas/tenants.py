"""What can be done to tenants and their keys, as records carry it."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from schemas.envelope import GptId
from schemas.json_kinds import NUMBER
from schemas.messages import Message

ADMIN: str = "admin"
"""The tenant of those who administer all others; its keys alone may have the scope `admin`."""

KEY_ID_PATTERN = r"^[0-9A-Za-z]{16}$"
SCOPE_PATTERN = r"^(admin|(read|write)(:[a-z][a-z0-9_-]{0,62})?)$"

KeyId = Annotated[str, StringConstraints(pattern=KEY_ID_PATTERN)]
Scope = Annotated[str, StringConstraints(pattern=SCOPE_PATTERN)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Quota = Annotated[int, Field(ge=0, le=10**15), NUMBER]
"""Most objects or bytes; above it, no disk holds them, nor in the end a column of Postgres."""


class CreateGpt(Message):
    """Make a tenant."""

    op: Literal["create-gpt"] = "create-gpt"
    name: Name
    max_objects: Quota | None = None
    max_bytes: Quota | None = None


class ChangeQuotas(Message):
    """Change a tenant's name and quotas; what is left out stays, null quotas are the default."""

    op: Literal["change-gpt"] = "change-gpt"
    name: Name | None = None
    max_objects: Quota | None = None
    max_bytes: Quota | None = None
    given: tuple[Literal["name", "max_objects", "max_bytes"], ...] = Field(
        description="Which of the fields are to be changed."
    )


class DisableGpt(Message):
    """Refuse all its keys from now on, and keep everything."""

    op: Literal["disable-gpt"] = "disable-gpt"


class EnableGpt(Message):
    """Take its keys again."""

    op: Literal["enable-gpt"] = "enable-gpt"


class DeleteGpt(Message):
    """Refuse its keys and remove everything that it has; its id is never given again."""

    op: Literal["delete-gpt"] = "delete-gpt"


class NewKey(Message):
    """A key whose secret its maker alone knows."""

    key_id: KeyId
    hash_hex: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] = Field(
        description="HMAC-SHA256 of the key under the pepper."
    )
    name: Name
    scopes: tuple[Scope, ...] = Field(min_length=1, max_length=64)
    subject: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None
    rate_limits: Annotated[str, StringConstraints(max_length=256)] | None = None
    expires_at: AwareDatetime | None = None


class CreateKey(NewKey):
    """Enter a key."""

    op: Literal["create-key"] = "create-key"


class RotateKey(NewKey):
    """Enter a key in the place of another one, which ends at a time or at once."""

    op: Literal["rotate-key"] = "rotate-key"
    replaces: KeyId
    old_ends_at: AwareDatetime | None = Field(
        default=None, description="When the replaced key ends; at once where absent."
    )


class RevokeKey(Message):
    """End a key at once and for good."""

    op: Literal["revoke-key"] = "revoke-key"
    key_id: KeyId


Change = Annotated[
    CreateGpt
    | ChangeQuotas
    | DisableGpt
    | EnableGpt
    | DeleteGpt
    | CreateKey
    | RotateKey
    | RevokeKey,
    Field(discriminator="op"),
]


class ChangeGpt(Message):
    """Do something to a tenant or its keys; who asks is the tenant `admin`."""

    gpt_id: GptId
    change: Change
    by: str = Field(description="Who asks, for the record.")


class KeyChanged(Message):
    """What gateways remember of a tenant's keys is out of date."""

    gpt_id: GptId
    key_ids: tuple[KeyId, ...] = Field(description="These; where empty, all of the tenant.")


class GptDeleted(Message):
    """A tenant bears a tombstone; everything that it has is to be removed."""

    gpt_id: GptId
