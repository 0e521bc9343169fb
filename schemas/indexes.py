"""The OpenSearch index of chunks: its mapping, and the pipeline that joins two rankings.

One index behind an alias serves all tenants; the tenant is in every entry and every query. Chunks
are of documents and of the objects of collections, told apart by `kind`.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, Final

from schemas.embedding_text import PREPARATION_VERSION

ALIAS: Final = "documents"
"""The name that is searched; it points to the live index."""

RETIRED: Final = "documents-retired"
"""The name of the index that a rebuild has replaced, for as long as a search may still read it."""

LIVE_KNOWN_S: Final = 2.0
"""For how long a search may go by what it knew of the live index, in seconds."""

PIPELINE: Final = "actionstream-hybrid"
"""Search pipeline that normalises both rankings (min-max) and takes their mean.

On Cranfield it ranks above each clause alone and level with reciprocal rank fusion.
"""

CANDIDATES: Final = 100
"""How many hits each clause of a hybrid query contributes."""


class Kind(StrEnum):
    """What an entry is a part of; one that does not say it is of a document."""

    DOCUMENT = "document"
    OBJECT = "object"


_KEYWORD: Final = {"type": "keyword", "ignore_above": 1024}

ADDED: Final[Mapping[str, Any]] = {
    "kind": _KEYWORD,
    "collection": _KEYWORD,
    "collection_id": _KEYWORD,
    "key": _KEYWORD,
    "updated_at": {"type": "date"},
}
"""Fields that indexes of an older release lack; they can be given them as they stand."""


@dataclass(frozen=True, slots=True)
class Vectors:
    """What made the vectors of an index; vectors that were made otherwise never mix with them.

    `preparation` is the version of `schemas.embedding_text.prepare`.
    """

    model: str
    dimensions: int
    preparation: int = PREPARATION_VERSION

    @classmethod
    def of(cls, mapping: Mapping[str, Any]) -> "Vectors | None":
        """Returns: what made an index's vectors, from its mapping; None where that is unknown."""
        noted = mapping.get("_meta", {}).get("vectors")
        if noted is None:
            return None
        # What a later release notes besides does not concern this one.
        return cls(**{each.name: noted[each.name] for each in fields(cls)})

    @property
    def can_be_made(self) -> bool:
        """Whether this code prepares texts as these vectors' texts were."""
        return self.preparation == PREPARATION_VERSION

    def meta(self) -> dict[str, Any]:
        """Returns: the note of it in a mapping, for `of`."""
        return {"vectors": asdict(self)}


def index_name(model: str, dimensions: int, revision: int = 1) -> str:
    """Returns: the index's own name.

    Every rebuild has a higher revision, whatever its model, so that no name is used twice.
    """
    safe = "".join(c if c.isalnum() else "-" for c in model.lower()).strip("-")
    return f"{ALIAS}-v{revision}-{safe}-{dimensions}"


def revision_of(name: str) -> int:
    """Returns: the revision in an index's own name, whatever is put before it; 0 if none is."""
    found = re.search(rf"{ALIAS}-v(\d+)-", name)
    return int(found[1]) if found else 0


def write_alias(name: str) -> str:
    """Returns: the name that an index is written by.

    A write that requires an alias cannot bring a dropped index back to life.
    """
    return f"{name}-writes"


def index_body(vectors: Vectors, *, shards: int = 2, replicas: int = 0) -> dict[str, Any]:
    """Returns: settings and mapping of the index.

    At least two shards: on one, a hybrid query fetches and highlights every candidate instead of
    the page of hits, at five times the CPU.
    """
    return {
        "settings": {
            "index": {
                "knn": True,
                "number_of_shards": shards,
                "number_of_replicas": replicas,
                "refresh_interval": "500ms",
                # A late writer must meet the tombstone of a deleted entry, not an empty place.
                "gc_deletes": "1h",
            }
        },
        "mappings": {
            "dynamic": "strict",
            "_meta": vectors.meta(),
            "properties": {
                **ADDED,
                "gpt_id": _KEYWORD,
                "subject": _KEYWORD,
                # The document or object, so that hits are grouped by one field.
                "document_id": _KEYWORD,
                # What its text was read by: a document's run, or for an object a digest of what
                # its collection says that search finds.
                "run_id": _KEYWORD,
                "version": {"type": "long"},
                "ordinal": {"type": "integer"},
                "page": {"type": "integer"},
                "start": {"type": "integer"},
                "end": {"type": "integer"},
                "title": {"type": "text", "analyzer": "english", "index_options": "offsets"},
                "filename": _KEYWORD,
                "content": {"type": "text", "analyzer": "english", "index_options": "offsets"},
                "type": _KEYWORD,
                "needs_review": {"type": "boolean"},
                "content_type": _KEYWORD,
                "created_at": {"type": "date"},
                # Any field of any type or body, as sortable terms: the mapping never grows.
                "attributes": {"type": "keyword", "ignore_above": 1024},
                "embedding_model": _KEYWORD,
                "embedding": {
                    "type": "knn_vector",
                    "dimension": vectors.dimensions,
                    "method": {
                        "name": "hnsw",
                        "engine": "lucene",
                        "space_type": "cosinesimil",
                        "parameters": {"m": 16, "ef_construction": 100},
                    },
                },
            },
        },
    }


def pipeline_body() -> dict[str, Any]:
    """Returns: the search pipeline of hybrid queries: min-max, arithmetic mean, equal weights."""
    return {
        "phase_results_processors": [
            {
                "normalization-processor": {
                    "normalization": {"technique": "min_max"},
                    "combination": {
                        "technique": "arithmetic_mean",
                        "parameters": {"weights": [0.5, 0.5]},
                    },
                }
            }
        ]
    }
