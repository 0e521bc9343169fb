"""The states that a request, a document, a run and a step can be in."""

from enum import StrEnum


class Status(StrEnum):
    """State of a request, a document or a run, as clients see it."""

    ACCEPTED = "accepted"
    PROCESSING = "processing"
    WAITING = "waiting"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINAL = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED})
"""States that nothing but a new run or a redrive leaves."""


class StepState(StrEnum):
    """State of one step in the ledger."""

    WORKING = "working"
    WAITING = "waiting"
    DONE = "done"
    DEAD = "dead"
    CANCELLED = "cancelled"


SETTLED = frozenset({StepState.DONE, StepState.DEAD, StepState.CANCELLED})
"""States in which a step's outputs are stored and only published again."""


class LetterState(StrEnum):
    """State of a dead letter."""

    DEAD = "dead"
    REDRIVEN = "redriven"
    DISCARDED = "discarded"


class BatchState(StrEnum):
    """State of a batch, as clients see it."""

    OPEN = "open"
    """Documents may be added."""
    CLOSED = "closed"
    """No more are added; some are still being worked on."""
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class EntryState(StrEnum):
    """State of a document within its batch; it follows the document's status."""

    QUEUED = "queued"
    """Not begun; it may wait for its turn among the batches."""
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class WebhookState(StrEnum):
    """State of an endpoint of webhooks."""

    ACTIVE = "active"
    PAUSED = "paused"
    """By its owner, or after it failed for too long; `paused_reason` says which."""


class DeliveryState(StrEnum):
    """State of one event's delivery to one endpoint."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    """All attempts were used up; it can be sent again."""
    SKIPPED = "skipped"
    """Its event was no longer kept when its turn came."""


class RebuildState(StrEnum):
    """State of a rebuild of the search index."""

    STARTING = "starting"
    """Its index is not made yet."""
    BUILDING = "building"
    CATCHING_UP = "catching up"
    DONE = "done"
    ABORTED = "aborted"


WRITTEN_TOO = frozenset({RebuildState.BUILDING, RebuildState.CATCHING_UP})
"""States in which every write and delete goes to the rebuild's index too."""
