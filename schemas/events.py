"""The kinds of events: what can happen to a document, a request, a stage."""

from enum import StrEnum


class EventType(StrEnum):
    """CloudEvents' `type`; each has an example under `schemas/examples/events/`."""

    DOCUMENT_RECEIVED = "document.received"
    DOCUMENT_PARSED = "document.parsed"
    DOCUMENT_CLASSIFIED = "document.classified"
    DOCUMENT_EXTRACTED = "document.extracted"
    DOCUMENT_INDEXED = "document.indexed"
    DOCUMENT_NEEDS_REVIEW = "document.needs_review"
    DOCUMENT_UPDATED = "document.updated"
    DOCUMENT_FAILED = "document.failed"
    DOCUMENT_REDRIVEN = "document.redriven"
    DOCUMENT_DELETED = "document.deleted"
