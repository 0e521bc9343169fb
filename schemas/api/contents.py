"""HTTP bodies of what was read from a document: text, fields, chunks, runs."""

from datetime import datetime
from typing import Any

from pydantic import Field

from schemas.api.model import Output
from schemas.fields import Answer
from schemas.problems import Problem
from schemas.states import Status


class TextPage(Output):
    """One page of a document's text."""

    page: int = Field(description="Page, counted from 1.")
    start: int = Field(description="Offset of its first character in the whole text.")
    end: int = Field(
        description="Offset behind its last character; pages are joined by a form feed."
    )
    source: str = Field(description="Where the text is from, such as text or ocr.")
    confidence: float | None = Field(description="Mean OCR confidence, 0..1.")
    text: str = Field(description="The page's text.")


class DocumentText(Output):
    """The text of a document, page by page."""

    document_id: str
    run_id: str | None
    status: Status
    page_count: int | None = Field(description="Pages of the whole document.")
    pages: list[TextPage]
    next_cursor: str | None = Field(description="Give it as cursor for the next pages.")
    has_more: bool


class Correction(Output):
    """What a person put in place of the machine's answer."""

    name: str = Field(description="The field, or `type`.")
    value: Any = Field(description="The value that counts.")
    machine_value: Any = Field(description="What the machine had found.")
    corrected_by: str = Field(description="Who corrected it.")
    corrected_at: datetime = Field(description="When.")


class DocumentFields(Output):
    """The fields of a document: what counts, what the machine found and why, corrections."""

    document_id: str
    run_id: str | None
    status: Status
    version: int | None
    type: str | None
    confidence: float | None
    needs_review: bool
    values: dict[str, Any] = Field(description="Effective values by name.")
    answers: dict[str, Answer] = Field(
        description="The machine's answer: value, normalised, place, evidence, confidence."
    )
    corrections: list[Correction] = Field(description="All corrections, oldest first.")


class Chunk(Output):
    """A part of a page as it is indexed."""

    ordinal: int = Field(description="Position within the document, from 0.")
    page: int = Field(description="Page, counted from 1.")
    start: int = Field(description="First character, as an offset into the page's text.")
    end: int = Field(description="Offset behind the last character.")
    text: str


class DocumentChunks(Output):
    """The chunks of a document in order."""

    document_id: str
    run_id: str | None
    status: Status
    items: list[Chunk]
    next_cursor: str | None
    has_more: bool


class Run(Output):
    """One processing of a document."""

    run_id: str
    number: int = Field(description="Counted from 1.")
    current: bool = Field(description="Whether the document shows this run.")
    status: Status
    request_id: str
    requested_type: str | None
    page_count: int | None
    type: str | None
    type_confidence: float | None
    candidates: list[dict[str, Any]] = Field(description="Types in order of confidence.")
    confidence: float | None
    needs_review: bool | None
    models: dict[str, Any] = Field(description="Which model and prompt answered what.")
    notices: list[Any] = Field(description="What a reader should know, such as windows.")
    problem: Problem | None
    created_at: datetime
    completed_at: datetime | None


class DocumentRuns(Output):
    """The runs of a document, newest first."""

    document_id: str
    items: list[Run]
