"""HTTP bodies of documents: what clients send, and what they get."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import Field, JsonValue, StringConstraints, model_validator

from schemas.api.model import Input, Metadata, Output, Text
from schemas.json_kinds import NUMBER
from schemas.problems import Problem
from schemas.states import Status, StepState

TypeName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Title = Annotated[Text, StringConstraints(max_length=512)]
CorrelationId = Annotated[
    str, StringConstraints(min_length=1, max_length=128, pattern=r"^[\x21-\x7e]+$")
]
IdempotencyKey = Annotated[
    str, StringConstraints(min_length=1, max_length=128, pattern=r"^[\x21-\x7e]+$")
]
WaitS = Annotated[float, Field(ge=0, le=3600)]


class UploadOptions(Input):
    """What may be said of an upload beside its bytes; form fields of the same names."""

    title: Title | None = Field(default=None, description="Title; found by search.")
    metadata: Metadata | None = Field(
        default=None, description="Your own data, an object of at most 64 keys; `where` reads it."
    )
    type: TypeName | None = Field(
        default=None, description="The document's type, if you know it; else it is classified."
    )
    correlation_id: CorrelationId | None = Field(
        default=None, description="Your own id, echoed in results, events and logs."
    )
    wait_s: WaitS | None = Field(
        default=None, description="Seconds to wait for the result, at most 40; default 0."
    )
    idempotency_key: IdempotencyKey | None = Field(
        default=None, description="Makes a repeat harmless: it gets the first one's answer."
    )


class UploadInput(UploadOptions):
    """A document by link or as base64; exactly one of the two."""

    file_url: Annotated[Text, StringConstraints(max_length=2048)] | None = Field(
        default=None, description="https link to fetch it from."
    )
    content_base64: str | None = Field(
        default=None, description="Its bytes in base64; larger files go as multipart/form-data."
    )
    filename: Annotated[Text, StringConstraints(max_length=255)] | None = Field(
        default=None, description="Name of the file."
    )

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if (self.file_url is None) == (self.content_base64 is None):
            raise ValueError("give either file_url or content_base64")
        if self.file_url is not None and not self.file_url.lower().startswith("https://"):
            raise ValueError("file_url must begin with https://")
        return self


class DocumentPatch(Input):
    """Changes to a document; what is absent stays."""

    title: Title | None = Field(default=None, description="New title.")
    metadata: Metadata | None = Field(default=None, description="Replaces all metadata.")
    type: TypeName | None = Field(default=None, description="Corrected type.")
    fields: Metadata | None = Field(
        default=None, description="Corrected fields by name; null clears one, others stay."
    )
    if_version: Annotated[int, Field(ge=1), NUMBER] | None = Field(
        default=None, description="Refuse unless the document has this version (or If-Match)."
    )

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if all(getattr(self, name) is None for name in ("title", "metadata", "type", "fields")):
            raise ValueError("give at least one of title, metadata, type and fields")
        return self


class ReprocessInput(Input):
    """A new run over a stored document."""

    type: TypeName | None = Field(
        default=None, description="Take this as its type instead of classifying it."
    )
    from_stage: Literal["parse", "classify", "extract", "index"] = Field(
        default="parse",
        description="First stage to run; earlier results are taken over from the latest run.",
    )

    @model_validator(mode="after")
    def _uses_its_type(self) -> Self:
        if self.type is not None and self.from_stage == "index":
            raise ValueError("type is of no use with from_stage index; begin with extract")
        return self


class DocumentSummary(Output):
    """A document in a list."""

    document_id: str = Field(description="Id of the document.")
    subject: str | None = Field(description="The end user whose it is; null: no one's, or unknown.")
    status: Status = Field(description="`completed` means that a search finds it.")
    version: int | None = Field(description="Raised by each change; for if_version.")
    title: str | None = Field(description="Its title.")
    filename: str | None = Field(description="Its file's name.")
    metadata: dict[str, JsonValue] = Field(description="The client's own data.")
    content_type: str | None = Field(description="Media type, found from the bytes.")
    size_bytes: int | None = Field(description="Size of the original.")
    page_count: int | None = Field(description="Number of pages.")
    type: str | None = Field(description="Document type.")
    type_confidence: float | None = Field(description="Probability that the type is right, 0..1.")
    fields: dict[str, Any] = Field(description="Effective values: corrections over the machine's.")
    confidence: float | None = Field(description="Confidence of the weakest required field, 0..1.")
    needs_review: bool = Field(description="Whether a person should look at it.")
    parent_id: str | None = Field(description="The document it was attached to.")
    batch_id: str | None = Field(description="The batch that it is of.")
    duplicate_of: str | None = Field(description="An earlier document with the same bytes.")
    sha256: str | None = Field(description="Hash of the original, hexadecimal.")
    correlation_id: str | None = Field(description="The client's own id.")
    problem: Problem | None = Field(description="Why it failed.")
    created_at: datetime | None = Field(description="When it was registered.")
    updated_at: datetime | None = Field(description="When it last changed.")
    completed_at: datetime | None = Field(description="When it became final.")


class TimelineStep(Output):
    """One step of work on a document."""

    run_id: str = Field(description="The run it belongs to, or the request.")
    stage: str = Field(description="Name of the stage.")
    part: int = Field(description="Part of work that was handed on, from 0.")
    state: StepState = Field(description="Where it stands.")
    started_at: datetime = Field(description="When it was first claimed.")
    finished_at: datetime | None = Field(description="When it was settled.")
    duration_ms: int | None = Field(description="From claim to settlement, milliseconds.")
    attempts: int = Field(description="How often it was claimed.")
    attempt: int = Field(description="The attempt at work, or the next one while it waits, from 1.")
    attempts_allowed: int | None = Field(
        description="After so many attempts it fails; null where none has failed."
    )
    retry_at: datetime | None = Field(description="When the next attempt is due.")
    failures: int = Field(description="Attempts that ended with an error.")
    crashes: int = Field(description="Attempts whose worker died.")
    waiting_for: str | None = Field(description="What it waits for now.")
    waiting_since: datetime | None = Field(description="Since when it waits.")
    waited_ms: int = Field(description="Time it spent waiting for others, milliseconds.")
    problem: Problem | None = Field(description="Why it failed.")


class ChildDocument(Output):
    """A document that was attached to another."""

    document_id: str
    filename: str | None
    status: Status


class DocumentDetail(DocumentSummary):
    """A document with its timeline."""

    request_id: str | None = Field(description="The request that brought it in.")
    run_id: str | None = Field(description="Its current run.")
    chunk_count: int = Field(description="Parts that the search index holds.")
    retry_after_s: int | None = Field(description="Seconds to wait before asking; null when final.")
    timeline: list[TimelineStep] = Field(description="Steps in the order they began.")
    attachments: list[ChildDocument] = Field(description="Documents attached to it, at most 100.")
    links: dict[str, str] = Field(description="Paths of text, fields, chunks, content and runs.")


class DocumentPage(Output):
    """A page of documents, newest first."""

    items: list[DocumentSummary]
    next_cursor: str | None = Field(description="Give it as cursor for the next page.")
    has_more: bool = Field(description="Whether there is a next page.")
