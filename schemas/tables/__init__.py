"""The Postgres tables. `streams` writes them, `gateway` reads them; migrations make them.

Every row names its tenant (`gpt_id`); rows that belong to an end user inside the tenant also name
the `subject`.
"""

from schemas.tables.catalogue import METADATA
from schemas.tables.domain import (
    CHUNKS,
    CORRECTIONS,
    DOCUMENT_TYPES,
    DOCUMENTS,
    GPTS,
    PAGES,
    REQUESTS,
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

__all__ = [
    "CHUNKS",
    "CORRECTIONS",
    "DEAD_LETTERS",
    "DOCUMENTS",
    "DOCUMENT_TYPES",
    "EVENTS",
    "EVENT_COUNTERS",
    "GPTS",
    "METADATA",
    "MODEL_ANSWERS",
    "PAGES",
    "REBUILDS",
    "REQUESTS",
    "RUNS",
    "STEPS",
    "WORKERS",
]
