"""The catalogue of topics: what each carries, how it is keyed, and how long it is kept."""

import functools
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar

from schemas import batches, messages, tenants, webhooks, writes
from schemas.messages import Message
from schemas.retention import INPUT_RETENTION

M = TypeVar("M", bound=Message)


class Kind(StrEnum):
    """What a topic's records are."""

    REQUEST = "request"
    FACT = "fact"
    RESULT = "result"
    EVENT = "event"


MAX_MESSAGE_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Topic(Generic[M]):
    """One topic.

    `key` names the id whose order matters. `share` scales the number of partitions: it is
    multiplied by the setting `partitions` and rounded up.
    """

    name: str
    message: type[M]
    key: str
    kind: Kind
    version: int = 1
    share: float = 1.0
    retention: timedelta = INPUT_RETENTION

    @property
    def schema_name(self) -> str:
        """Returns: the value of the `schema` header, such as `document-parsed.v1`."""
        return f"{_kebab(self.message.__name__)}.v{self.version}"

    @property
    def dead_letter(self) -> str:
        """Returns: the name of the topic that takes what could not be worked off."""
        return f"{self.name}-dlq"

    def partitions(self, scale: int) -> int:
        """Returns: the number of partitions at this scale, at least one."""
        return scaled(scale, self.share)


def scaled(scale: int, share: float) -> int:
    """Returns: this share of the setting `partitions`, rounded up, at least one."""
    return max(1, -(-int(scale * share * 100) // 100))


@functools.cache
def _kebab(name: str) -> str:
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in name).lstrip("-")


def _request(name: str, message: type[M], key: str, share: float = 1.0) -> Topic[M]:
    return Topic(name, message, key, Kind.REQUEST, share=share)


def _fact(name: str, message: type[M], key: str = "document_id", share: float = 1.0) -> Topic[M]:
    return Topic(name, message, key, Kind.FACT, share=share)


PROCESS_DOCUMENT: Final = _request("process-document", messages.ProcessDocument, "document_id")
UPDATE_DOCUMENT: Final = _request("update-document", messages.UpdateDocument, "document_id", 0.25)
DELETE_DOCUMENT: Final = _request("delete-document", messages.DeleteDocument, "document_id", 0.25)
REPROCESS_DOCUMENT: Final = _request(
    "reprocess-document", messages.ReprocessDocument, "document_id", 0.25
)
PUT_DOCUMENT_TYPE: Final = _request(
    "put-document-type", messages.PutDocumentType, "gpt_id/name", 0.25
)
TRY_DOCUMENT_TYPE: Final = _request(
    "try-document-type", messages.TryDocumentType, "document_id", 0.25
)
REDRIVE_DEAD_LETTERS: Final = _request(
    "redrive-dead-letters", messages.RedriveDeadLetters, "gpt_id", 0.1
)
DISCARD_DEAD_LETTERS: Final = _request(
    "discard-dead-letters", messages.DiscardDeadLetters, "gpt_id", 0.1
)
WRITE_COLLECTION: Final = _request("write-collection", writes.WriteCollection, "gpt_id/collection")
CHANGE_GPT: Final = _request("change-gpt", tenants.ChangeGpt, "gpt_id", 0.1)
CHANGE_BATCH: Final = _request("change-batch", batches.ChangeBatch, "batch_id", 0.25)
CHANGE_WEBHOOK: Final = _request("change-webhook", webhooks.ChangeWebhook, "webhook_id", 0.1)
DECIDE_REVIEW: Final = _request("decide-review", messages.DecideReview, "document_id", 0.1)
PING: Final = _request("ping", messages.Ping, "request_id", 0.5)

DOCUMENT_RECEIVED: Final = _fact("document-received", messages.DocumentReceived)
DOCUMENT_PARSED: Final = _fact("document-parsed", messages.DocumentParsed)
DOCUMENT_CLASSIFIED: Final = _fact("document-classified", messages.DocumentClassified)
DOCUMENT_EXTRACTED: Final = _fact("document-extracted", messages.DocumentExtracted)
DOCUMENT_INDEXED: Final = _fact("document-indexed", messages.DocumentIndexed)
DOCUMENT_UPDATED: Final = _fact("document-updated", messages.DocumentUpdated, share=0.25)
DOCUMENT_DELETED: Final = _fact("document-deleted", messages.DocumentDeleted, share=0.25)

BATCH_SOURCE_ADDED: Final = _fact("batch-source-added", batches.BatchSourceAdded, "batch_id", 0.25)
BATCH_CANCELLED: Final = _fact("batch-cancelled", batches.BatchCancelled, "batch_id", 0.25)

OBJECT_SAVED: Final = _fact("object-saved", writes.ObjectSaved, "object_id")
COLLECTION_RESHAPED: Final = _fact(
    "collection-reshaped", writes.CollectionReshaped, "collection_id", 0.25
)
COLLECTION_DELETED: Final = _fact(
    "collection-deleted", writes.CollectionDeleted, "collection_id", 0.25
)
GPT_DELETED: Final = _fact("gpt-deleted", tenants.GptDeleted, "gpt_id", 0.1)

OBJECT_CHANGED: Final = _fact("object-changed", writes.ObjectChanged, "gpt_id/collection")
KEY_CHANGED: Final = Topic(
    "key-changed", tenants.KeyChanged, "gpt_id", Kind.FACT, share=0, retention=timedelta(days=1)
)
RESULTS: Final = Topic(
    "results", messages.Result, "request_id", Kind.RESULT, retention=timedelta(days=1)
)
EVENTS: Final = Topic("events", messages.CloudEvent, "gpt_id", Kind.EVENT, share=0.5)
EVENT_WATCHED: Final = Topic(
    "event-watched", messages.EventWatched, "gpt_id", Kind.EVENT, share=0.25
)

REQUESTS: Final[tuple[Topic[Any], ...]] = (
    PROCESS_DOCUMENT,
    UPDATE_DOCUMENT,
    DELETE_DOCUMENT,
    REPROCESS_DOCUMENT,
    PUT_DOCUMENT_TYPE,
    TRY_DOCUMENT_TYPE,
    REDRIVE_DEAD_LETTERS,
    DISCARD_DEAD_LETTERS,
    WRITE_COLLECTION,
    CHANGE_GPT,
    CHANGE_BATCH,
    CHANGE_WEBHOOK,
    DECIDE_REVIEW,
    PING,
)
FACTS: Final[tuple[Topic[Any], ...]] = (
    DOCUMENT_RECEIVED,
    DOCUMENT_PARSED,
    DOCUMENT_CLASSIFIED,
    DOCUMENT_EXTRACTED,
    DOCUMENT_INDEXED,
    DOCUMENT_UPDATED,
    DOCUMENT_DELETED,
    BATCH_SOURCE_ADDED,
    BATCH_CANCELLED,
    OBJECT_SAVED,
    COLLECTION_RESHAPED,
    COLLECTION_DELETED,
    GPT_DELETED,
)
INPUTS: Final[tuple[Topic[Any], ...]] = (*REQUESTS, *FACTS, EVENT_WATCHED)
"""Topics that a stage reads; each has a dead-letter twin."""

CATALOGUE: Final[tuple[Topic[Any], ...]] = (
    *INPUTS,
    EVENTS,
    OBJECT_CHANGED,
    KEY_CHANGED,
    RESULTS,
)
"""The topics that other programs may read or write."""

BULK: Final = frozenset(
    {
        PROCESS_DOCUMENT,
        DOCUMENT_RECEIVED,
        DOCUMENT_PARSED,
        DOCUMENT_CLASSIFIED,
        DOCUMENT_EXTRACTED,
        DOCUMENT_INDEXED,
    }
)
"""Topics with a twin for the documents of batches, so that no other document waits behind them."""

READERS: Final[dict[str, Topic[Any]]] = {
    "receive": PROCESS_DOCUMENT,
    "parse": DOCUMENT_RECEIVED,
    "classify": DOCUMENT_PARSED,
    "extract": DOCUMENT_CLASSIFIED,
    "index": DOCUMENT_EXTRACTED,
    "complete": DOCUMENT_INDEXED,
    "update": UPDATE_DOCUMENT,
    "refresh": DOCUMENT_UPDATED,
    "delete": DELETE_DOCUMENT,
    "purge": DOCUMENT_DELETED,
    "reprocess": REPROCESS_DOCUMENT,
    "define": PUT_DOCUMENT_TYPE,
    "trial": TRY_DOCUMENT_TYPE,
    "redrive": REDRIVE_DEAD_LETTERS,
    "discard": DISCARD_DEAD_LETTERS,
    "collections": WRITE_COLLECTION,
    "index-object": OBJECT_SAVED,
    "reshape": COLLECTION_RESHAPED,
    "clear": COLLECTION_DELETED,
    "tenants": CHANGE_GPT,
    "forget": GPT_DELETED,
    "batches": CHANGE_BATCH,
    "expand": BATCH_SOURCE_ADDED,
    "cancel": BATCH_CANCELLED,
    "webhooks": CHANGE_WEBHOOK,
    "notify": EVENT_WATCHED,
    "review": DECIDE_REVIEW,
    "ping": PING,
}
"""The stages, each with the topic that it reads."""

SETS: Final[dict[str, tuple[str, ...]]] = {
    "intake": ("receive", "parse", "expand"),
    "models": ("classify", "extract", "index", "refresh", "index-object", "trial"),
    "records": (
        "complete",
        "update",
        "review",
        "delete",
        "purge",
        "reprocess",
        "define",
        "redrive",
        "discard",
        "reshape",
        "clear",
        "tenants",
        "forget",
        "batches",
        "cancel",
        "ping",
    ),
    "objects": ("collections",),
    "webhooks": ("webhooks", "notify"),
}
"""Sets of stages that can be deployed and scaled apart. Each has a consumer group of its own, also
where one worker runs all of them: what a group has read, no other deployment reads again."""


def group(stage: str) -> str:
    """Returns: the consumer group in which a stage's records are read: that of its set."""
    [name] = [name for name, stages in SETS.items() if stage in stages]
    return f"actionstream-{name}"


@dataclass(frozen=True, slots=True)
class Delay:
    """A retry topic: it holds every record for the same time, so that first in is first due."""

    name: str
    seconds: int

    @property
    def dead_letter(self) -> str:
        """Returns: the name of the topic that takes what cannot be returned to any stage."""
        return f"{self.name}-dlq"


DELAYS: Final = (Delay("retry-5s", 5), Delay("retry-30s", 30), Delay("retry-5m", 300))
"""The retry topics in the order in which a record's failures go through them."""


def delay_after(failures: int) -> Delay:
    """Returns: the retry topic of a record that has failed so often; the last one from then on."""
    return DELAYS[min(failures, len(DELAYS)) - 1]


def again(stage: str) -> str:
    """Returns: the stage's own topic, on which records come back that it is to try again."""
    return f"{stage}-again"


def bulk(topic: str) -> str:
    """Returns: the topic that carries what belongs to batches, where `BULK` has this one."""
    return f"{topic}-bulk"


def sources(stage: str) -> tuple[str, ...]:
    """Returns: the topics that a stage reads: its source, that one's bulk twin, its retries."""
    source = READERS[stage]
    twins = (bulk(source.name),) if source in BULK else ()
    return (source.name, *twins, again(stage))
