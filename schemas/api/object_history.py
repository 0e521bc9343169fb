"""What became of objects, as HTTP answers it: their changes and their versions."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from schemas.api.collections import StoredObject
from schemas.api.model import Output


class Change(Output):
    """The latest change of one object."""

    sequence: int = Field(description="Number of the change within its collection.")
    id: str = Field(description="The object's id.")
    key: str | None = Field(description="The object's key, if it has one.")
    change: Literal["created", "updated", "deleted"] = Field(description="What happened last.")
    version: int = Field(description="The object's version since then.")
    changed_at: datetime = Field(description="When that was.")
    object: StoredObject | None = Field(description="The object as it is now; null once deleted.")


class ChangesPage(Output):
    """What changed in a collection, each object once with its latest change, oldest first."""

    items: list[Change]
    next_since: int = Field(description="Ask with it for what comes next.")
    has_more: bool = Field(description="Whether there is more already.")
    latest: int = Field(description="Number of the collection's last change.")


class VersionSummary(Output):
    """One version of an object."""

    version: int = Field(description="Its number.")
    size_bytes: int = Field(description="Size of its body as JSON.")
    written_at: datetime = Field(description="When it was written.")
    current: bool = Field(description="Whether it is the present one.")


class VersionList(Output):
    """The versions that are kept of an object, newest first."""

    id: str = Field(description="The object's id.")
    deleted: bool = Field(description="Whether the object is deleted; restoring brings it back.")
    items: list[VersionSummary]


class ObjectVersion(Output):
    """One version of an object with its body."""

    id: str = Field(description="The object's id.")
    collection: str = Field(description="The collection that it is in.")
    version: int = Field(description="Number of the version.")
    size_bytes: int = Field(description="Size of its body as JSON.")
    written_at: datetime = Field(description="When it was written.")
    current: bool = Field(description="Whether it is the present one.")
    body: dict[str, Any] = Field(description="The object as it was.")
