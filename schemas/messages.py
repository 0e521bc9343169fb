"""The values of all records: requests in the imperative, facts in the past tense, results.

Readers ignore unknown fields; within a version fields are only added. The docstrings and the
descriptions of the fields are what the AsyncAPI document says.
"""

from typing import Annotated, Any, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
)

from schemas.problems import Problem
from schemas.states import Status

INLINE_LIMIT_BYTES = 256 * 1024
"""Content above this size goes by reference."""

METADATA_LIMIT = 64

Metadata = Annotated[dict[str, JsonValue], Field(max_length=METADATA_LIMIT)]
Title = Annotated[str, StringConstraints(max_length=512)]
TypeName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class Message(BaseModel):
    """A record's value."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class StoredFile(Message):
    """Bytes that are in the object store under the tenant's prefix."""

    kind: Literal["s3"] = "s3"
    key: Annotated[str, StringConstraints(min_length=1, max_length=1024)]


class Link(Message):
    """Bytes to fetch from an `https` address."""

    kind: Literal["link"] = "link"
    url: Annotated[str, StringConstraints(min_length=8, max_length=2048)]


class Inline(Message):
    """Bytes within the record, at most 256 KiB in base64."""

    kind: Literal["inline"] = "inline"
    content_base64: Annotated[str, StringConstraints(max_length=INLINE_LIMIT_BYTES)]


Source = Annotated[StoredFile | Link | Inline, Field(discriminator="kind")]


class ProcessDocument(Message):
    """Take a document in, read it, and answer with its type and fields."""

    source: Source
    document_id: str | None = Field(
        default=None, description="Id handed out for it; derived from the request where absent."
    )
    filename: Annotated[str, StringConstraints(max_length=512)] | None = None
    title: Title | None = None
    metadata: Metadata = Field(default_factory=dict)
    type: TypeName | None = Field(default=None, description="Its type, where the sender knows it.")
    parent_id: str | None = Field(default=None, description="The document it was attached to.")
    depth: int = Field(default=0, ge=0, description="How many documents it is nested in.")


class DocumentReceived(Message):
    """A document's bytes are stored and it is registered."""

    document_id: str
    run_id: str
    s3_key: str
    content_type: str
    filename: str | None
    depth: int = 0


class DocumentParsed(Message):
    """A document's text is stored, page by page."""

    document_id: str
    run_id: str
    page_count: int


class DocumentClassified(Message):
    """A document's type is known."""

    document_id: str
    run_id: str
    type: TypeName
    confidence: float


class DocumentExtracted(Message):
    """A document's fields are stored with their evidence."""

    document_id: str
    run_id: str
    type: TypeName
    confidence: float | None
    needs_review: bool


class DocumentIndexed(Message):
    """A search finds the document."""

    document_id: str
    run_id: str
    version: int
    chunk_count: int


class UpdateDocument(Message):
    """Change a document's title or metadata, or correct its type or fields."""

    document_id: str
    by: str = Field(description="Who asks, for the record of corrections.")
    title: Title | None = None
    metadata: Metadata | None = None
    type: TypeName | None = None
    fields: dict[str, JsonValue] | None = None
    if_version: int | None = None


class DocumentUpdated(Message):
    """A document's own data changed; its index entries follow."""

    document_id: str
    version: int


class DeleteDocument(Message):
    """Remove a document and everything made from it."""

    document_id: str


class DocumentDeleted(Message):
    """A document bears a tombstone; its data is to be removed."""

    document_id: str


class ReprocessDocument(Message):
    """Run the pipeline over a stored document again, as a new run."""

    document_id: str
    type: TypeName | None = None
    from_stage: Literal["parse", "classify", "extract", "index"] = Field(
        default="parse", description="The first stage to run; what stands before it is taken over."
    )


class PutDocumentType(Message):
    """Create or replace a document type of this tenant."""

    name: TypeName
    definition: dict[str, JsonValue]


class TryDocumentType(Message):
    """Extract one document's fields by a type, and store nothing but the answer."""

    name: TypeName
    document_id: str
    definition: dict[str, JsonValue] | None = Field(
        default=None, description="A definition to try instead of the stored one."
    )


DeadLetterId = Annotated[str, StringConstraints(pattern=r"^dl_[0-9a-f]{32}$")]


class DecideReview(Message):
    """Decide on a document that needs a person: right as it is, corrected, or of no use."""

    document_id: str
    reviewed_run: str = Field(description="The run that was looked at.")
    decision: Literal["accept", "correct", "reject"]
    by: str = Field(description="Who decides, for the record.")
    type: TypeName | None = None
    fields: dict[str, JsonValue] = Field(
        default_factory=dict, description="What replaces the machine's values, null for none."
    )
    note: Annotated[str, StringConstraints(max_length=2000)] | None = None
    if_version: int | None = None


class DeadLetterChoice(Message):
    """Which dead letters are meant: those named, or all open ones that fit every condition."""

    ids: tuple[DeadLetterId, ...] = Field(
        default=(), max_length=500, description="These; where empty, the conditions choose."
    )
    stage: str | None = Field(default=None, description="Of this stage.")
    error: str | None = Field(default=None, description="With this error code.")
    since: AwareDatetime | None = Field(default=None, description="Dead at or after this time.")
    until: AwareDatetime | None = Field(default=None, description="Dead before this time.")
    batch_id: str | None = Field(default=None, description="Of documents of this batch.")
    by: str = Field(description="Who asks, for the record.")


class RedriveDeadLetters(DeadLetterChoice):
    """Send dead letters to their stages again, each as a new attempt."""


class DiscardDeadLetters(DeadLetterChoice):
    """Mark dead letters as not to be sent again; they stay readable."""


class Ping(Message):
    """Go once through gateway, broker, worker, ledger and database, and do nothing else."""

    note: Annotated[str, StringConstraints(max_length=256)] | None = None


class CloudEvent(Message):
    """Something that happened, as CloudEvents 1.0 (structured mode); its row is the truth.

    `sequence` counts the tenant's events without a gap.
    """

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str = "/actionstream"
    type: str
    subject: str | None = Field(default=None, description="Id of what it happened to.")
    time: AwareDatetime
    datacontenttype: Literal["application/json"] = "application/json"
    gptid: str
    sequence: int
    correlationid: str | None = None
    requestid: str | None = None
    batchid: str | None = Field(default=None, description="The batch that it happened in.")
    data: dict[str, JsonValue] = Field(default_factory=dict)


class EventWatched(CloudEvent):
    """An event of a tenant that has webhooks, which may be wanted by one of them."""


class Result(Message):
    """The answer to a request. The row in `requests` is the truth; this wakes those who wait."""

    request_id: str
    status: Status
    document_id: str | None = None
    result: dict[str, Any] | None = None
    problem: Problem | None = None
