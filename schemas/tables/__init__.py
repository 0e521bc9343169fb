"""The Postgres tables. `streams` writes them, `gateway` reads them; migrations make them.

Every row names its tenant (`gpt_id`); rows that belong to an end user inside the tenant also name
the `subject`.
"""

from schemas.tables.batches import BATCH_ENTRIES, BATCH_TALLIES, BATCHES
from schemas.tables.catalogue import METADATA
from schemas.tables.collections import COLLECTIONS, OBJECT_VERSIONS, OBJECTS, SLOTS
from schemas.tables.domain import (
    CHUNKS,
    CORRECTIONS,
    DOCUMENT_TYPES,
    DOCUMENTS,
    DUPLICATE_OF,
    PAGES,
    REQUESTS,
    REVIEWS,
    RUNS,
)
from schemas.tables.ledger import (
    DEAD_LETTERS,
    EVENT_COUNTERS,
    EVENTS,
    MODEL_ANSWERS,
    REBUILDS,
    STEPS,
    WORKERS,
)
from schemas.tables.tenants import API_KEYS, GPTS
from schemas.tables.webhooks import WEBHOOK_DELIVERIES, WEBHOOKS

__all__ = [
    "API_KEYS",
    "BATCHES",
    "BATCH_ENTRIES",
    "BATCH_TALLIES",
    "CHUNKS",
    "COLLECTIONS",
    "CORRECTIONS",
    "DEAD_LETTERS",
    "DOCUMENTS",
    "DOCUMENT_TYPES",
    "DUPLICATE_OF",
    "EVENTS",
    "EVENT_COUNTERS",
    "GPTS",
    "METADATA",
    "MODEL_ANSWERS",
    "OBJECTS",
    "OBJECT_VERSIONS",
    "PAGES",
    "REBUILDS",
    "REQUESTS",
    "REVIEWS",
    "RUNS",
    "SLOTS",
    "STEPS",
    "WEBHOOKS",
    "WEBHOOK_DELIVERIES",
    "WORKERS",
]
