"""HTTP bodies of batches: what makes and fills them, how they stand, what is in them."""

from datetime import datetime
from typing import Annotated, Any, Final, Self

from pydantic import Field, JsonValue, StrictBool, StringConstraints, model_validator

from schemas.api.documents import Title, TypeName
from schemas.api.model import Input, Metadata, Output, Text
from schemas.batches import MAX_ENTRIES
from schemas.problems import Problem
from schemas.states import BatchState, EntryState, Status

MAX_MANIFEST: Final = 100_000
Path = Annotated[Text, StringConstraints(min_length=1, max_length=1024)]
EntryKey = Annotated[
    str, StringConstraints(min_length=1, max_length=128, pattern=r"^[\x21-\x7e]+$")
]
StoreKey = Annotated[Text, StringConstraints(min_length=1, max_length=1024)]


class DocumentData(Input):
    """What is said of documents besides their bytes."""

    title: Title | None = Field(default=None, description="Title; found by search.")
    metadata: Metadata | None = Field(default=None, description="Your own data.")
    type: TypeName | None = Field(default=None, description="Its type, if you know it.")

    def over(self, others: "DocumentData | None") -> dict[str, Any]:
        """Returns: title, metadata and type, where absent here those of the others."""
        base = others or DocumentData()
        return {
            "title": self.title or base.title,
            "metadata": {**(base.metadata or {}), **(self.metadata or {})},
            "type": self.type or base.type,
        }


class ManifestLine(DocumentData):
    """What is said of one file."""

    path: Path = Field(description="The file's name as it is sent, or its path in the archive.")
    key: EntryKey | None = Field(
        default=None, description="Sending another file of the same key does nothing."
    )


class BatchDocument(DocumentData):
    """A document of a batch: by link, as an object of the object store, or as base64."""

    file_url: Annotated[Text, StringConstraints(max_length=2048)] | None = Field(
        default=None, description="https link to fetch it from."
    )
    s3_key: StoreKey | None = Field(
        default=None, description="Key of an object in the bucket, under your GPT's own prefix."
    )
    content_base64: str | None = Field(default=None, description="Its bytes in base64.")
    filename: Annotated[Text, StringConstraints(max_length=255)] | None = Field(
        default=None, description="Name of the file."
    )
    path: Path | None = Field(default=None, description="Where it came from, for your own use.")
    key: EntryKey | None = Field(
        default=None, description="Adding another document of the same key does nothing."
    )

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        given = (self.file_url, self.s3_key, self.content_base64)
        if sum(one is not None for one in given) != 1:
            raise ValueError("give one of file_url, s3_key and content_base64")
        if self.file_url is not None and not self.file_url.lower().startswith("https://"):
            raise ValueError("file_url must begin with https://")
        return self


class BatchAddition(Input):
    """Documents to add to a batch."""

    documents: list[BatchDocument] = Field(
        default=[], max_length=MAX_ENTRIES, description="Documents, each with its own data."
    )
    s3_prefix: StoreKey | None = Field(
        default=None, description="Add all objects whose keys begin so; yours begin with your GPT."
    )
    archive_key: StoreKey | None = Field(
        default=None, description="Add all files of this ZIP archive, an object in the bucket."
    )
    manifest: list[ManifestLine] = Field(
        default=[],
        max_length=MAX_MANIFEST,
        description="What is said of single files under s3_prefix or in the archive.",
    )
    defaults: DocumentData | None = Field(
        default=None, description="What is said of all of them, where nothing else is."
    )
    close: StrictBool | None = Field(
        default=None, description="Whether nothing more will be added."
    )

    @property
    def adds(self) -> bool:
        """Returns: whether anything is to be added."""
        return bool(self.documents or self.s3_prefix or self.archive_key)

    @model_validator(mode="after")
    def _has_a_use_for_its_manifest(self) -> Self:
        if self.manifest and (self.s3_prefix is None) == (self.archive_key is None):
            raise ValueError("a manifest goes with one of s3_prefix and archive_key")
        return self


class NewBatch(BatchAddition):
    """A new batch, with documents or without."""

    name: Annotated[Text, StringConstraints(max_length=200)] | None = Field(
        default=None, description="What people call it."
    )
    metadata: Metadata | None = Field(default=None, description="Your own data about the batch.")


class AddedDocument(Output):
    """A document that a call has added, with the ids to ask for it with."""

    path: str | None = Field(description="The file's name or path as it was sent.")
    key: str = Field(description="Its key within the batch.")
    document_id: str = Field(description="Id of the document.")
    request_id: str = Field(description="Id of its request.")


class BatchChange(Output):
    """What became of a change to a batch."""

    batch_id: str = Field(description="Id of the batch.")
    request_id: str = Field(description="Id of this change's request.")
    status: Status = Field(description="completed: the change is done, not the batch.")
    status_url: str = Field(description="Where to ask what became of the change.")
    retry_after_s: int | None = Field(description="Seconds to wait before asking; null when final.")
    correlation_id: str | None = Field(description="The client's own id, or the request's.")
    state: BatchState | None = Field(description="State of the batch after it; null if not done.")
    added: int | None = Field(description="Documents that are new in the batch; null if not done.")
    known: int | None = Field(description="Documents whose key it had already; null if not done.")
    documents: list[AddedDocument] = Field(description="Those of this call, in its order.")


class Counts(Output):
    """Documents of a batch by state; together they are all of them."""

    queued: int = Field(description="Waiting for their turn.")
    processing: int = Field(description="Being worked on.")
    completed: int = Field(description="Done; a search finds them.")
    failed: int = Field(description="Failed for good, unless they are sent again.")
    cancelled: int = Field(description="Stopped, or deleted meanwhile.")


class BatchSummary(Output):
    """A batch in a list."""

    batch_id: str = Field(description="Id of the batch.")
    subject: str | None = Field(description="The end user whose it is; null: no one's, or unknown.")
    state: BatchState = Field(
        description="open takes documents; completed: closed, and every document has ended."
    )
    name: str | None = Field(description="What people call it.")
    metadata: dict[str, JsonValue] = Field(description="The client's own data.")
    documents: int = Field(description="Documents that it has so far.")
    counts: Counts = Field(description="Documents by state, exact at any time.")
    created_at: datetime | None = Field(description="When it was made; null if only just asked.")
    closed_at: datetime | None = Field(description="When it was closed.")
    completed_at: datetime | None = Field(description="When its last document had ended.")


class BatchPage(Output):
    """A page of batches, newest first."""

    items: list[BatchSummary]
    next_cursor: str | None = Field(description="Give it as cursor for the next page.")
    has_more: bool = Field(description="Whether there is a next page.")


class FailureExample(Output):
    """One of the documents that failed so."""

    path: str | None
    document_id: str | None
    detail: str | None = Field(description="What was wrong with it, as a sentence.")


class BatchFailure(Output):
    """Documents that failed for the same cause."""

    code: str = Field(description="Code of the problem.")
    count: int
    example: FailureExample | None


class TimeLeft(Output):
    """When the documents that are there will have ended; nine of ten such intervals are right."""

    low: float = Field(description="Seconds, if it goes well.")
    high: float = Field(description="Seconds, if it goes slowly.")


class BatchDetail(BatchSummary):
    """A batch: its counts, failures, pace and time left."""

    listing: int = Field(
        description="Archives and prefixes whose files, and retries whose failed documents are "
        "still being gone through."
    )
    by_type: dict[str, int] = Field(description="Completed documents by their type.")
    failures: list[BatchFailure] = Field(description="Failed documents by cause, most first.")
    rate_per_minute: float | None = Field(description="Documents ended per minute of late.")
    time_left_s: TimeLeft | None = Field(description="An interval; null where it is not known.")
    time_left_unknown: str | None = Field(description="Why there is no interval.")
    correlation_id: str | None = Field(description="The client's own id, or the request's.")
    links: dict[str, str] = Field(description="Paths of its documents and results.")


class EntrySummary(Output):
    """A document of a batch in a list."""

    ordinal: int = Field(description="Its place in the batch, from 1.")
    path: str | None = Field(description="Its name or path as it was sent.")
    document_id: str | None = Field(description="Null where it could not become a document.")
    request_id: str | None = Field(description="Id of its request.")
    state: EntryState = Field(description="State within the batch.")
    type: str | None = Field(description="Its type, once completed.")
    problem: Problem | None = Field(description="Why it failed.")
    settled_at: datetime | None = Field(description="When it ended.")


class EntryPage(Output):
    """A page of a batch's documents, in their order."""

    items: list[EntrySummary]
    next_cursor: str | None = Field(description="Give it as cursor for the next page.")
    has_more: bool = Field(description="Whether there is a next page.")


class BatchResult(Output):
    """A document's result: one line of JSON Lines."""

    ordinal: int
    path: str | None
    document_id: str | None
    state: EntryState
    filename: str | None
    title: str | None
    metadata: dict[str, JsonValue]
    type: str | None
    confidence: float | None
    needs_review: bool
    problem: Problem | None
    fields: dict[str, Any]
