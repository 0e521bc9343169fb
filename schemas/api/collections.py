"""Bodies of the calls on collections and their objects."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from schemas.api.model import Input, Output
from schemas.json_kinds import NUMBER, Truth
from schemas.problems import FieldError
from schemas.tenants import Quota
from schemas.writes import (
    MAX_OPERATIONS,
    MAX_TTL_S,
    MAX_VERSIONS,
    CollectionName,
    Indexes,
    Key,
    ObjectId,
    SearchSettings,
    Seconds,
    TextIndex,
)

Body = Annotated[
    dict[str, Any],
    Field(description="Any JSON object of at most 256 KiB and 64 levels."),
]
Patch = Annotated[
    dict[str, Any],
    Field(description="JSON Merge Patch (RFC 7396): what it names is replaced, null removes."),
]
OptionalKey = Annotated[
    Key | None, Field(description="A name of your own, unique in the collection for each end user.")
]
TTL = Annotated[
    Annotated[int, Field(ge=0, le=MAX_TTL_S), NUMBER] | None,
    Field(
        description="Seconds from now until it is deleted by itself; 0: never; absent or null: the "
        "collection's default, or unchanged in a merge."
    ),
]
IfVersion = Annotated[
    Annotated[int, Field(ge=0), NUMBER] | None,
    Field(description="Only if this is its version, else 412."),
]
Description = Annotated[str, StringConstraints(max_length=2000)]


class CollectionSearch(SearchSettings, Input):
    """What of a collection's objects /v1/search finds."""


class CollectionText(TextIndex, Input):
    """What of a collection's objects `q=` finds."""


class CollectionIndexes(Indexes, Input):
    """Which filters of a collection an index serves."""

    text: CollectionText | None = None


class CollectionChange(Input):
    """What of a collection is to be changed: what is left out stays, null resets it."""

    description: Description | None = Field(default=None, description="What is kept in it.")
    json_schema: dict[str, Any] | None = Field(
        default=None, alias="schema", description="JSON Schema (2020-12) that every body must fit."
    )
    search: CollectionSearch | None = Field(
        default=None,
        description="What of its objects /v1/search finds, given as a whole; null: nothing.",
    )
    indexes: CollectionIndexes | None = Field(
        default=None,
        description="Which filters an index serves, given as a whole: what it leaves out is none.",
    )
    keep_versions: Annotated[int, Field(ge=0, le=MAX_VERSIONS), NUMBER] | None = Field(
        default=None, description="Earlier versions kept of each object."
    )
    default_ttl_s: Seconds | None = Field(
        default=None, description="Lifetime of objects that name none, seconds."
    )
    max_objects: Quota | None = Field(default=None, description="Most objects it may have.")
    max_bytes: Quota | None = Field(default=None, description="Most bytes of all its bodies.")
    check_stored: Truth = Field(
        default=False,
        description="Refuse a schema, by default the present one, that a stored object breaks.",
    )
    if_version: IfVersion = None


class CollectionInput(CollectionChange):
    """A collection to create, or to change if it is there."""

    name: CollectionName = Field(description="Small letters, digits, _ and -; a letter first.")
    if_absent: Truth = Field(default=False, description="Only if there is none yet, else 412.")
    if_exists: Truth = Field(default=False, description="Only if there is one already, else 412.")


class Collection(Output):
    """A collection and its counts."""

    name: str = Field(description="Its name.")
    gpt_id: str = Field(description="The tenant that has it.")
    description: str | None = Field(description="What is kept in it.")
    json_schema: dict[str, Any] | None = Field(
        alias="schema", description="JSON Schema that every body fits."
    )
    schema_checked: bool = Field(
        description="Whether no stored object can be against it; false: it was changed unchecked."
    )
    search: dict[str, Any] | None = Field(description="What of its objects /v1/search finds.")
    indexes: dict[str, Any] = Field(description="Which filters an index serves.")
    indexes_ready: bool = Field(description="Whether all objects are in these indexes by now.")
    keep_versions: int = Field(description="Earlier versions kept of each object.")
    default_ttl_s: int | None = Field(description="Lifetime of objects that name none, seconds.")
    max_objects: int | None = Field(description="Most objects it may have; null: the tenant's.")
    max_bytes: int | None = Field(description="Most bytes of all its bodies; null: the tenant's.")
    object_count: int = Field(description="How many objects it has.")
    byte_count: int = Field(description="Bytes of all their bodies.")
    version: int = Field(description="Raised by every change of the collection; its ETag.")
    sequence: int = Field(
        description="Number of the last change of one of its objects; under its name it only rises."
    )
    created_at: datetime = Field(description="When it was created.")
    updated_at: datetime = Field(description="When it was last changed.")


class CollectionPage(Output):
    """Collections by name."""

    items: list[Collection]
    next_cursor: str | None = Field(description="Ask with it for the next page; null: no more.")
    has_more: bool = Field(description="Whether there are more.")


class ObjectInput(Input):
    """An object to create."""

    body: Body
    key: OptionalKey = None
    ttl_s: TTL = None


class ObjectReplacement(Input):
    """An object's new body."""

    body: Body
    ttl_s: TTL = None
    if_version: IfVersion = None


class ObjectMerge(Input):
    """A change of an object's body: the merge patch is in `body`."""

    body: Patch
    ttl_s: TTL = None
    if_version: IfVersion = None


class ObjectHead(Output):
    """An object without its body."""

    id: str = Field(description="Its id.")
    gpt_id: str = Field(description="The tenant that has it.")
    collection: str = Field(description="The collection that it is in.")
    key: str | None = Field(description="Its name of your own, if it has one.")
    subject: str | None = Field(description="The end user whose it is; null: no one's.")
    version: int = Field(description="Raised by every change; its ETag.")
    size_bytes: int = Field(description="Size of its body as JSON.")
    created_at: datetime = Field(description="When it was created.")
    updated_at: datetime = Field(description="When it was last changed.")
    expires_at: datetime | None = Field(description="When it is deleted by itself; null: never.")


class StoredObject(ObjectHead):
    """An object as it is stored."""

    body: dict[str, Any] = Field(description="The object.")


class ChangedObject(ObjectHead):
    """An object as a change left it."""

    body: dict[str, Any] | None = Field(
        description="The object; null where the key may not read, where later changes have come "
        "already and this version is no longer kept, and where the database went away before it "
        "was read. The change was made all the same."
    )


class ObjectPage(Output):
    """Objects in the order of their creation."""

    items: list[StoredObject]
    next_cursor: str | None = Field(description="Ask with it for the next page; null: no more.")
    has_more: bool = Field(description="Whether there are more.")
    total: int | None = Field(description="How many match, if count=true asked for it.")
    total_is: Literal["exact", "at_least"] | None = Field(
        description="at_least: there are more than were counted."
    )


class Deleted(Output):
    """Something that has been deleted."""

    deleted: Literal[True]
    id: str | None = Field(description="The object's id; null for a collection.")
    collection: str = Field(description="The collection, or the one that it was in.")
    key: str | None = Field(description="The object's key, if it had one.")
    version: int = Field(description="The version that the deletion made.")


class BatchOperation(Input):
    """One operation: create (body), put (id or key, body), merge, patch, delete."""

    op: Literal["create", "put", "merge", "patch", "delete"]
    id: ObjectId | None = Field(default=None, description="The object, by its id.")
    key: Key | None = Field(default=None, description="The object, by its key.")
    body: dict[str, Any] | None = Field(
        default=None, description="New body (create, put) or merge patch (merge)."
    )
    patch: list[dict[str, Any]] | None = Field(
        default=None, description="JSON Patch (RFC 6902), with op patch.", max_length=1000
    )
    ttl_s: TTL = None
    if_version: IfVersion = None
    if_absent: Truth = Field(default=False, description="With put: only if there is none yet.")
    if_exists: Truth = Field(default=False, description="With put: only if there is one already.")


class BatchInput(Input):
    """Operations on one collection, in their order."""

    operations: list[BatchOperation] = Field(min_length=1, max_length=MAX_OPERATIONS)
    atomic: Truth = Field(default=False, description="All or none; else each on its own.")


class OperationProblem(Output):
    """Why one operation was not done."""

    code: str = Field(description="Stable name of the cause.")
    detail: str = Field(description="What happened and what to do.")
    errors: list[FieldError] = Field(description="One entry a wrong field.")


class BatchOutcome(Output):
    """What became of one operation."""

    status: int = Field(description="The HTTP status that it would have had alone.")
    id: str | None = Field(description="The object's id, where it is known.")
    key: str | None = Field(description="The object's key, if it has one.")
    version: int | None = Field(description="The object's version now.")
    problem: OperationProblem | None = Field(description="What went wrong, if something did.")


class BatchAnswer(Output):
    """What became of a batch, in the order of its operations."""

    atomic: bool = Field(description="Whether it was all or none.")
    failed: int = Field(description="How many operations were not done.")
    results: list[BatchOutcome]
