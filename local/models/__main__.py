"""Start the local model server: `python -m local.models --port 11434`.

Reads the weights, writes the ONNX graph into the cache folder once, and serves until SIGTERM. The
port opens when all is loaded and checked, so a server that answers is ready.
"""

import argparse
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvicorn

from local.environment import LocalSettings
from local.models import catalogue, weights
from local.models.app import create_app
from local.models.embedder import Embedder
from local.models.extractive import Extraction, Extractive
from local.models.service import Service
from local.models.slots import Slots

QUEUE = 512
"""Calls that may wait for a slot, as many as Ollama lets wait; the next one is told 503."""


KEEP_ALIVE_S = 120
"""Longer than clients keep idle connections (5 s), so that none is closed under a request."""

GRACE_S = 5
"""How long answers under way may take after SIGTERM."""


def options() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m local.models",
        description="Serve MiniLM embeddings, rules and quotations over Ollama's HTTP API.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to bind (%(default)s)")
    parser.add_argument("--port", type=int, default=11434, help="port to bind (%(default)s)")
    parser.add_argument(
        "--cache",
        type=Path,
        default=(LocalSettings().cache or Path.home() / ".cache" / "actionstream") / "models",
        help="folder of the ONNX graph, made at the first start (%(default)s)",
    )
    parser.add_argument("--slots", type=int, default=4, help="answers at once (%(default)s)")
    parser.add_argument(
        "--embed-slots", type=int, default=2, help="embeddings at once (%(default)s)"
    )
    parser.add_argument(
        "--threads", type=int, default=1, help="cores of one embedding (%(default)s)"
    )
    parser.add_argument(
        "--queue", type=int, default=QUEUE, help="calls that may wait (%(default)s)"
    )
    parser.add_argument(
        "--latency-ms",
        "--fixed-latency-ms",
        type=int,
        default=0,
        help="the least time that an answer takes, for benchmarks (%(default)s)",
    )
    return parser


def build(chosen: argparse.Namespace) -> Service:
    """Load the models and return what the server runs on.

    Raises:
        weights.WrongWeights: the weights are missing, foreign, or compute something else.
    """
    embedder = Embedder(chosen.cache, threads=chosen.threads)
    return Service(
        catalogue=catalogue.Catalogue(catalogue.load(), datetime.now(UTC)),
        embedder=embedder,
        answers=Extractive(lambda texts: embedder.embed(texts).vectors, _extract),
        answer_slots=Slots(chosen.slots, chosen.queue),
        embed_slots=Slots(chosen.embed_slots, chosen.queue),
        least_answer_s=chosen.latency_ms / 1000,
    )


def _extract(text: str, schema: Mapping[str, Any]) -> Extraction:
    """Run the extraction engine, which is imported when it is first asked."""
    from local.models.extraction import extract  # noqa: PLC0415

    return extract(text, schema)


def main() -> int:
    """Serve until told to stop; return 1 with one sentence when the models cannot be loaded."""
    chosen = options().parse_args()
    try:
        service = build(chosen)
    except weights.WrongWeights as error:
        print(f"The local models cannot start: {error}.", file=sys.stderr)
        return 1
    uvicorn.run(
        create_app(service),
        host=chosen.host,
        port=chosen.port,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
