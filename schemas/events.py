"""The kinds of events: what can happen to a document, a collection, an object, a tenant."""

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
    COLLECTION_CREATED = "collection.created"
    COLLECTION_UPDATED = "collection.updated"
    COLLECTION_DELETED = "collection.deleted"
    OBJECT_CREATED = "object.created"
    OBJECT_UPDATED = "object.updated"
    OBJECT_DELETED = "object.deleted"
    GPT_CREATED = "gpt.created"
    GPT_UPDATED = "gpt.updated"
    GPT_DELETED = "gpt.deleted"
    KEY_CREATED = "key.created"
    KEY_ROTATED = "key.rotated"
    KEY_REVOKED = "key.revoked"
