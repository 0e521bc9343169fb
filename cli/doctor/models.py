"""Checks of the model server: the models are there, and the embeddings are the right ones."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cli.doctor.check import Check, Wrong
from schemas.embedding_text import (
    DISAGREEMENT_LIMIT,
    PROBES,
    REFERENCE_PATH,
    disagreement,
    parse_reference,
)
from streams.clients import ollama
from streams.clients.ollama import Models
from streams.errors import DependencyDown
from streams.settings import Settings

_REFERENCE_MODEL = "minilm"


def checks(settings: Settings) -> tuple[Check, ...]:
    """Returns: the checks of the model server."""
    remedy = f"start the model server at {settings.ollama_url}, or set ACTIONSTREAM_OLLAMA_URL"
    return (
        Check("models", lambda: _present(settings), remedy),
        Check("embeddings", lambda: _embeddings(settings), remedy),
    )


@asynccontextmanager
async def _connected(settings: Settings) -> AsyncIterator[Models]:
    models = ollama.of(settings)
    try:
        yield models
    finally:
        await models.close()


async def _present(settings: Settings) -> str:
    async with _connected(settings) as models:
        try:
            await models.ping()
        except DependencyDown as error:
            # What is missing and how it is had stand in one sentence.
            missing, _, remedy = error.detail.partition("; ")
            raise Wrong(missing, remedy or None) from None
    return f"{settings.chat_model} and {settings.embedding_model} at {settings.ollama_url}"


async def _embeddings(settings: Settings) -> str:
    async with _connected(settings) as models:
        vectors = await models.embed([probe.text for probe in PROBES])
    length = len(vectors[0])
    if length != settings.embedding_dimensions:
        raise Wrong(
            f"{settings.embedding_model} gives vectors of length {length}, not "
            f"{settings.embedding_dimensions}",
            f"set ACTIONSTREAM_EMBEDDING_DIMENSIONS={length} and run `actionstream reindex`",
        )
    if _REFERENCE_MODEL not in settings.embedding_model.lower():
        return f"vectors of length {length}; there is no reference for {settings.embedding_model}"
    reference = parse_reference(await asyncio.to_thread(REFERENCE_PATH.read_text, "utf-8"))
    off = disagreement(vectors, reference)
    if off > DISAGREEMENT_LIMIT:
        raise Wrong(
            f"{settings.embedding_model} is {off:.4f} off the published vectors, more than "
            f"{DISAGREEMENT_LIMIT}",
            "do not mix its vectors with others: use the model's own weights, or another name",
        )
    return f"eight probes within {off:.6f} of the published vectors"
