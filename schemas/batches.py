"""What may be done with a batch, as records say it."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.messages import Link, Message, Metadata, StoredFile, Title, TypeName

MAX_ENTRIES = 500
"""Documents that one record adds; more come in further records."""

Name = Annotated[str, StringConstraints(max_length=200)]
Path = Annotated[str, StringConstraints(min_length=1, max_length=1024)]


class Described(Message):
    """What is said of a document besides its bytes."""

    title: Title | None = None
    metadata: Metadata = Field(default_factory=dict)
    type: TypeName | None = Field(default=None, description="Its type, where the sender knows it.")


class BatchEntry(Described):
    """A document to add: stored bytes or a link."""

    source: Annotated[StoredFile | Link, Field(discriminator="kind")]
    filename: Annotated[str, StringConstraints(max_length=512)] | None = None
    path: Path | None = Field(default=None, description="Its name where it came from.")
    key: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = Field(
        default=None, description="Adding another entry of the same key does nothing."
    )


class Archive(Message):
    """A ZIP file in the object store; each file in it becomes a document."""

    kind: Literal["archive"] = "archive"
    key: Annotated[str, StringConstraints(min_length=1, max_length=1024)]


class Prefix(Message):
    """All files in the object store whose keys begin so."""

    kind: Literal["prefix"] = "prefix"
    prefix: Annotated[str, StringConstraints(min_length=1, max_length=1024)]


class Many(Message):
    """A source of many documents, and what is said of them: of all, and of single ones by path."""

    source: Annotated[Archive | Prefix, Field(discriminator="kind")]
    defaults: Described = Field(default_factory=Described)
    manifest_key: str | None = Field(
        default=None,
        description="Key of a JSON Lines file in the object store: one object a file, with `path` "
        "and what is said of it.",
    )


class Open(Message):
    """Make a batch; it takes documents until it is closed."""

    do: Literal["open"] = "open"
    name: Name | None = None
    metadata: Metadata = Field(default_factory=dict)


class Add(Message):
    """Add documents to an open batch."""

    do: Literal["add"] = "add"
    entries: Annotated[tuple[BatchEntry, ...], Field(max_length=MAX_ENTRIES)] = ()
    many: tuple[Many, ...] = Field(default=(), max_length=16)


class Close(Message):
    """Say that nothing more is added: the batch is complete once all its documents are settled."""

    do: Literal["close"] = "close"


class Cancel(Message):
    """Stop: what is not settled is cancelled, whatever stage it is in."""

    do: Literal["cancel"] = "cancel"


class Retry(Message):
    """Send the dead letters of failed documents again."""

    do: Literal["retry"] = "retry"
    by: str = Field(description="Who asks, for the record.")


class ChangeBatch(Message):
    """Make a batch, add to it, close, cancel or retry it; the steps of one record go in order."""

    batch_id: str
    steps: Annotated[
        tuple[Annotated[Open | Add | Close | Cancel | Retry, Field(discriminator="do")], ...],
        Field(min_length=1, max_length=3),
    ]


class BatchSourceAdded(Message):
    """An archive or a prefix was added to a batch, and is to be listed."""

    batch_id: str
    number: int = Field(description="Which source of the batch it is, from 1.")
    many: Many


class BatchCancelled(Message):
    """A batch takes and does nothing more; its documents are to be cancelled."""

    batch_id: str
