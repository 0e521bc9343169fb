"""The OpenSearch index of document chunks: its mapping, and the pipeline that joins two rankings.

One index behind an alias serves all tenants; the tenant is in every entry and every query.
"""

from typing import Any, Final

ALIAS: Final = "documents"
"""The name that is read and written; it points to the current index."""

PIPELINE: Final = "actionstream-hybrid"
"""Search pipeline that normalises both rankings (min-max) and takes their mean.

On Cranfield it ranks above each clause alone and level with reciprocal rank fusion.
"""

CANDIDATES: Final = 100
"""How many hits each clause of a hybrid query contributes."""


def index_name(model: str, dimensions: int, revision: int = 1) -> str:
    """Returns: the index's own name; another embedding model makes another index."""
    safe = "".join(c if c.isalnum() else "-" for c in model.lower()).strip("-")
    return f"{ALIAS}-v{revision}-{safe}-{dimensions}"


def index_body(dimensions: int, *, shards: int = 2, replicas: int = 0) -> dict[str, Any]:
    """Returns: settings and mapping of the index.

    At least two shards: on one, a hybrid query fetches and highlights every candidate instead of
    the page of hits, at five times the CPU.
    """
    keyword = {"type": "keyword", "ignore_above": 1024}
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
            "properties": {
                "gpt_id": keyword,
                "subject": keyword,
                "document_id": keyword,
                "run_id": keyword,
                "version": {"type": "long"},
                "ordinal": {"type": "integer"},
                "page": {"type": "integer"},
                "start": {"type": "integer"},
                "end": {"type": "integer"},
                "title": {"type": "text", "analyzer": "english", "index_options": "offsets"},
                "filename": keyword,
                "content": {"type": "text", "analyzer": "english", "index_options": "offsets"},
                "type": keyword,
                "needs_review": {"type": "boolean"},
                "content_type": keyword,
                "created_at": {"type": "date"},
                # Any field of any document type, as sortable terms: the mapping never grows.
                "attributes": {"type": "keyword", "ignore_above": 1024},
                "embedding_model": keyword,
                "embedding": {
                    "type": "knn_vector",
                    "dimension": dimensions,
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
