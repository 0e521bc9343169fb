"""HTTP bodies of tenants and their keys."""

from datetime import datetime
from typing import Annotated, Final

from pydantic import AfterValidator, Field, StringConstraints

from schemas.api.model import Input, Moment, Output, storable
from schemas.envelope import GptId
from schemas.json_kinds import NUMBER
from schemas.rate_limits import KeyRateLimits
from schemas.tenants import Name, Quota, Scope

MAX_OVERLAP_S: Final = 30 * 86_400
DEFAULT_OVERLAP_S: Final = 3600
"""Long enough to bring a new key to where the old one is; short enough to be seen to end."""

Label = Annotated[Name, AfterValidator(storable)]
Subject = Annotated[str, StringConstraints(min_length=1, max_length=256), AfterValidator(storable)]

_OF_GPT: Final = "Most {} of all its collections together; null: the installation's."
_MAX_OBJECTS: Final = _OF_GPT.format("objects")
_MAX_BYTES: Final = _OF_GPT.format("bytes")


class GptInput(Input):
    """A GPT to make."""

    gpt_id: GptId = Field(description="Its id: small letters, digits, hyphens; never given again.")
    name: Label | None = Field(default=None, description="What people call it; its id if absent.")
    max_objects: Quota | None = Field(default=None, description=_MAX_OBJECTS)
    max_bytes: Quota | None = Field(default=None, description=_MAX_BYTES)


class GptPatch(Input):
    """What to change of a GPT; what is left out stays."""

    name: Label = Field(default="-", description="What people call it.")
    max_objects: Quota | None = Field(default=None, description=_MAX_OBJECTS)
    max_bytes: Quota | None = Field(default=None, description=_MAX_BYTES)


class Gpt(Output):
    """A GPT, which is a tenant."""

    gpt_id: str = Field(description="Its id.")
    name: str = Field(description="What people call it.")
    max_objects: int | None = Field(description=_MAX_OBJECTS)
    max_bytes: int | None = Field(description=_MAX_BYTES)
    object_count: int = Field(description="Objects that it has.")
    byte_count: int = Field(description="Bytes of their bodies.")
    disabled_at: datetime | None = Field(description="Since when its keys are refused.")
    deleted_at: datetime | None = Field(description="When it was deleted.")
    created_at: datetime
    updated_at: datetime


class GptPage(Output):
    """A page of GPTs by their ids, without the deleted ones."""

    items: list[Gpt]
    next_cursor: str | None = Field(description="Give it as cursor for the next page.")
    has_more: bool = Field(description="Whether there is a next page.")


class ApiKeyInput(Input):
    """A key to make."""

    name: Label = Field(description="What it is for.")
    scopes: list[Scope] = Field(
        default=["read", "write"],
        min_length=1,
        max_length=64,
        description="read, write, or one collection's: read:diary. admin in the GPT admin alone.",
    )
    subject: Subject | None = Field(
        default=None, description="The one end user whose rows it sees and writes; null: all."
    )
    rate_limits: KeyRateLimits | None = Field(
        default=None, description="Its own limits in place of the installation's: key:60/m."
    )
    expires_at: Moment | None = Field(
        default=None, description="When it ends (RFC 3339, with its offset); null: never."
    )


class RotateInput(Input):
    """How one key takes another one's place; name, scopes and subject stay."""

    overlap_s: Annotated[int, Field(ge=0, le=MAX_OVERLAP_S), NUMBER] = Field(
        default=DEFAULT_OVERLAP_S,
        description="Seconds for which the old key is taken too; 0: it ends at once.",
    )
    expires_at: Moment | None = Field(
        default=None,
        description="When the new key ends; absent: it lives as long as the old one was to.",
    )
    rate_limits: KeyRateLimits | None = Field(
        default=None, description="Limits of the new key: key:60/m; absent: the old one's."
    )


class KeyFacts(Output):
    """What is known of a key; its secret is not."""

    key_id: str = Field(description="Its id, which is also the third part of the key.")
    gpt_id: str = Field(description="The GPT that it opens.")
    name: str = Field(description="What it is for.")
    scopes: list[str] = Field(description="What it may do.")
    subject: str | None = Field(description="The one end user that it stands for; null: all.")
    rate_limits: str | None = Field(description="Its own limits; null: the installation's.")
    created_at: datetime | None = Field(description="When it was stored; null before that.")
    expires_at: datetime | None = Field(description="When it ends; null: never.")
    revoked_at: datetime | None = Field(description="When it was revoked.")
    replaced_by: str | None = Field(description="Id of the key that it was rotated into.")


class ApiKey(KeyFacts):
    """A key in a list."""

    last_used_at: datetime | None = Field(description="Last use, to the minute; null: none known.")


class ApiKeyPage(Output):
    """A page of keys, oldest first."""

    items: list[ApiKey]
    next_cursor: str | None = Field(description="Give it as cursor for the next page.")
    has_more: bool = Field(description="Whether there is a next page.")


class IssuedKey(KeyFacts):
    """A key that was made, with its whole text: here and never again."""

    key: str | None = Field(
        description="The whole key, to be kept now; null where a repeat of the request is answered."
    )
    pending: bool = Field(
        description="It is not stored yet: it opens nothing until the request is completed."
    )
    confirmed: bool = Field(
        description="Whether this is the key for certain. While false, a call before under the "
        "same idempotency key may have made another one: the request's result names the key_id "
        "that counts."
    )
    request_id: str = Field(description="Id of the request.")
    status_url: str = Field(description="Where to ask for the request's state.")
