"""The kinds of events: what can happen to a document, a collection, an object, a tenant."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class EventType(StrEnum):
    """CloudEvents' `type`; each has an example under `schemas/examples/events/`."""

    DOCUMENT_RECEIVED = "document.received"
    DOCUMENT_PARSED = "document.parsed"
    DOCUMENT_CLASSIFIED = "document.classified"
    DOCUMENT_EXTRACTED = "document.extracted"
    DOCUMENT_INDEXED = "document.indexed"
    DOCUMENT_NEEDS_REVIEW = "document.needs_review"
    DOCUMENT_UPDATED = "document.updated"
    DOCUMENT_CORRECTED = "document.corrected"
    DOCUMENT_RESTARTED = "document.restarted"
    DOCUMENT_FAILED = "document.failed"
    DOCUMENT_REDRIVEN = "document.redriven"
    DOCUMENT_CANCELLED = "document.cancelled"
    DOCUMENT_DELETED = "document.deleted"
    DOCUMENT_REVIEWED = "document.reviewed"
    BATCH_CREATED = "batch.created"
    BATCH_CLOSED = "batch.closed"
    BATCH_COMPLETED = "batch.completed"
    BATCH_CANCELLED = "batch.cancelled"
    WEBHOOK_CREATED = "webhook.created"
    WEBHOOK_UPDATED = "webhook.updated"
    WEBHOOK_DELETED = "webhook.deleted"
    WEBHOOK_PAUSED = "webhook.paused"
    WEBHOOK_TEST = "webhook.test"
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


MEANINGS: Final[Mapping[EventType, str]] = MappingProxyType(
    {
        EventType.DOCUMENT_RECEIVED: "Its bytes are stored, and it is registered.",
        EventType.DOCUMENT_PARSED: "Its text is there, page by page.",
        EventType.DOCUMENT_CLASSIFIED: "Its type is known.",
        EventType.DOCUMENT_EXTRACTED: "Its fields are there, with their evidence.",
        EventType.DOCUMENT_INDEXED: "It is completed: a search finds it.",
        EventType.DOCUMENT_NEEDS_REVIEW: "It is completed, and a person should look at it.",
        EventType.DOCUMENT_UPDATED: "Its title, metadata, type or fields were changed.",
        EventType.DOCUMENT_CORRECTED: "A person put these of its fields, or its `type`, right.",
        EventType.DOCUMENT_RESTARTED: "Another run over what is stored of it began.",
        EventType.DOCUMENT_FAILED: "It cannot be worked off; `code` and `detail` say why.",
        EventType.DOCUMENT_REDRIVEN: "What had failed of it is tried again.",
        EventType.DOCUMENT_CANCELLED: "Its batch was cancelled before it was worked off.",
        EventType.DOCUMENT_DELETED: "It is gone, with everything that was made of it.",
        EventType.DOCUMENT_REVIEWED: "A person decided on it.",
        EventType.BATCH_CREATED: "It was opened.",
        EventType.BATCH_CLOSED: "Nothing more is added to it.",
        EventType.BATCH_COMPLETED: "It is closed and all of it is worked off; once a closing.",
        EventType.BATCH_CANCELLED: "It was cancelled, and nothing of it is worked on any more.",
        EventType.WEBHOOK_CREATED: "Events are delivered to this endpoint from now on.",
        EventType.WEBHOOK_UPDATED: "It was changed.",
        EventType.WEBHOOK_DELETED: "Nothing is delivered to it any more.",
        EventType.WEBHOOK_PAUSED: "It failed so often that deliveries wait until it is resumed.",
        EventType.WEBHOOK_TEST: "Somebody asked for a delivery to see whether it arrives.",
        EventType.COLLECTION_CREATED: "It was defined.",
        EventType.COLLECTION_UPDATED: "Its definition was changed.",
        EventType.COLLECTION_DELETED: "It is gone, with all its objects, which are not told of.",
        EventType.OBJECT_CREATED: "It was created.",
        EventType.OBJECT_UPDATED: "Its body was changed.",
        EventType.OBJECT_DELETED: "It was deleted, or its time was over.",
        EventType.GPT_CREATED: "The tenant was made.",
        EventType.GPT_UPDATED: "Its name, quotas or state were changed.",
        EventType.GPT_DELETED: "It was deleted; all that it has goes.",
        EventType.KEY_CREATED: "A key was made.",
        EventType.KEY_ROTATED: "A key was replaced by another one.",
        EventType.KEY_REVOKED: "A key opens nothing any more.",
    }
)
"""What each kind says has happened."""
