"""What can be done to a collection and its objects, as records carry it."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, JsonValue, StringConstraints

from schemas.json_kinds import NUMBER, Truth
from schemas.messages import Message
from schemas.tenants import Quota

NAME_PATTERN = r"^[a-z][a-z0-9_-]{0,62}$"
MAX_BODY_BYTES = 256 * 1024
MAX_OPERATIONS = 500
MAX_KEY_CHARS = 256
MAX_VERSIONS = 100
MAX_TTL_S = 10 * 366 * 86_400

LANGUAGES = (
    *("simple", "arabic", "armenian", "basque", "catalan", "danish", "dutch", "english"),
    *("finnish", "french", "german", "greek", "hindi", "hungarian", "indonesian", "irish"),
    *("italian", "lithuanian", "nepali", "norwegian", "portuguese", "romanian", "russian"),
    *("serbian", "spanish", "swedish", "tamil", "turkish", "yiddish"),
)
"""The text-search configurations that every Postgres since version 14 has."""

CollectionName = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
ObjectId = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Key = Annotated[
    str, StringConstraints(min_length=1, max_length=MAX_KEY_CHARS, pattern=r"^[^\x00-\x1f/]+$")
]
Body = dict[str, JsonValue]
Pointer = Annotated[str, StringConstraints(max_length=256, pattern=r"^(/([^~]|~[01])*)?$")]
Language = Annotated[str, StringConstraints(pattern=rf"^({'|'.join(LANGUAGES)})$")]
Seconds = Annotated[int, Field(ge=1, le=MAX_TTL_S), NUMBER]


Lifetime = Annotated[
    Annotated[int, Field(ge=0, le=MAX_TTL_S)] | None,
    Field(description="Seconds until it is deleted by itself; 0: never, whatever the default."),
]


class Target(Message):
    """Which object is meant: by its id, or by its key; exactly one of them.

    Each end user has keys of its own; a record without a subject means what belongs to none.
    """

    object_id: ObjectId | None = None
    key: Key | None = None
    if_version: int | None = Field(default=None, description="Only if this is its version.")


class CreateObject(Message):
    """Make an object."""

    op: Literal["create"] = "create"
    key: Key | None = None
    body: Body
    ttl_s: Lifetime = None


class PutObject(Target):
    """Replace an object's body; one that is named by key is created where there is none."""

    op: Literal["put"] = "put"
    body: Body
    ttl_s: Lifetime = None
    if_absent: bool = Field(default=False, description="Only if there is none yet.")
    if_exists: bool = Field(default=False, description="Only if there is one already.")


class MergeObject(Target):
    """Change an object's body by JSON Merge Patch (RFC 7396)."""

    op: Literal["merge"] = "merge"
    patch: Body
    ttl_s: Lifetime = None


class PatchObject(Target):
    """Change an object's body by JSON Patch (RFC 6902)."""

    op: Literal["patch"] = "patch"
    patch: tuple[dict[str, JsonValue], ...] = Field(max_length=1000)
    ttl_s: Lifetime = None


class DeleteObject(Target):
    """Delete an object; its last versions stay unless it is purged."""

    op: Literal["delete"] = "delete"
    purge: bool = Field(default=False, description="Remove its earlier versions too.")


class RestoreObject(Target):
    """Make an earlier version the newest one; a deleted object comes back."""

    op: Literal["restore"] = "restore"
    version: Annotated[int, Field(ge=0, lt=10**15)]


class ExpireObject(Message):
    """Delete an object whose time is over, if it still is; from the system itself."""

    op: Literal["expire"] = "expire"
    object_id: ObjectId


ObjectOperation = Annotated[
    CreateObject | PutObject | MergeObject | PatchObject | DeleteObject,
    Field(discriminator="op"),
]


class WriteBatch(Message):
    """Up to 500 operations in their order: all or none of them, or each on its own."""

    op: Literal["batch"] = "batch"
    operations: tuple[ObjectOperation, ...] = Field(min_length=1, max_length=MAX_OPERATIONS)
    atomic: bool = False


class SearchSettings(Message):
    """What of a collection's objects a search by meaning finds."""

    fields: tuple[Pointer, ...] = Field(
        min_length=1,
        max_length=16,
        description="JSON Pointers of the texts that are embedded, none within another.",
    )
    title: Pointer | None = Field(
        default=None, description="JSON Pointer of what a hit is shown as."
    )


class TextIndex(Message):
    """What of a collection's objects `q=` finds by words and by fragments of words."""

    fields: tuple[Pointer, ...] = Field(
        default=("",),
        max_length=16,
        description="JSON Pointers, none within another; the whole body by default.",
    )
    language: Language = Field(
        default="simple", description="Postgres text-search configuration, such as english."
    )
    fragments: Truth = Field(default=False, description="Find parts of words too (trigrams).")


class Indexes(Message):
    """Which filters of a collection an index serves."""

    equality: Truth = Field(
        default=False, description="A GIN index for equality anywhere in the body."
    )
    ordered: tuple[Pointer, ...] = Field(
        default=(), max_length=4, description="JSON Pointers with an ordered index: eq, ranges."
    )
    text: TextIndex | None = None


class DefineCollection(Message):
    """Create a collection, or change it: what is left out stays as it is, null resets it."""

    op: Literal["define"] = "define"
    description: Annotated[str, StringConstraints(max_length=2000)] | None = None
    json_schema: dict[str, JsonValue] | None = Field(
        default=None, description="JSON Schema (2020-12) that every body fits."
    )
    search: SearchSettings | None = None
    indexes: Indexes | None = None
    keep_versions: Annotated[int, Field(ge=0, le=MAX_VERSIONS)] | None = None
    default_ttl_s: Seconds | None = None
    max_objects: Quota | None = None
    max_bytes: Quota | None = None
    given: tuple[
        Literal[
            "description",
            "json_schema",
            "search",
            "indexes",
            "keep_versions",
            "default_ttl_s",
            "max_objects",
            "max_bytes",
        ],
        ...,
    ] = Field(default=(), description="Which of the fields are to be changed.")
    must_exist: bool = Field(default=False, description="Change only; refuse to create.")
    check_stored: bool = Field(
        default=False,
        description="Refuse a schema, by default the present one, that a stored object breaks.",
    )
    if_version: int | None = None
    if_absent: bool = Field(default=False, description="Only if there is none yet.")
    if_exists: bool = Field(default=False, description="Only if there is one already.")


class DropCollection(Message):
    """Delete a collection with all its objects."""

    op: Literal["drop"] = "drop"
    if_version: int | None = None


Operation = Annotated[
    DefineCollection
    | DropCollection
    | CreateObject
    | PutObject
    | MergeObject
    | PatchObject
    | DeleteObject
    | RestoreObject
    | ExpireObject
    | WriteBatch,
    Field(discriminator="op"),
]


class WriteCollection(Message):
    """Do something to a collection or to objects in it; the records of one stay in their order."""

    collection: CollectionName
    operation: Operation


class ObjectChange(Message):
    """One change of an object; `sequence` counts the changes of its collection."""

    sequence: int
    object_id: str
    key: str | None
    version: int
    change: Literal["created", "updated", "deleted"]
    subject: str | None
    changed_at: AwareDatetime


class ObjectChanged(Message):
    """Objects of one collection changed, all by one request; their bodies are read by id."""

    collection: CollectionName
    collection_id: str
    changes: tuple[ObjectChange, ...]


class ObjectSaved(Message):
    """An object that search is to find, or to find no more, has changed."""

    run_id: str = Field(description="Derived from the object and its version: one step for each.")
    object_id: str
    collection_id: str
    version: int


class CollectionReshaped(Message):
    """What is indexed of a collection changed; all its objects follow."""

    collection_id: str
    shape: int
    search: bool = Field(description="Its entries in the search index follow too.")


class CollectionDeleted(Message):
    """A collection bears a tombstone; its objects are to be removed."""

    collection_id: str
