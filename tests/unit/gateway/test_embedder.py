"""Query vectors are cached, checked, and done without when the model is away."""

from typing import Any

import pytest

from gateway.embedder import Embedder
from gateway.settings import GatewaySettings


class FakeOllama:
    """Answers with the vectors it is given, or raises them."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def embed(self, *, model: str, input: str, truncate: bool) -> Any:  # noqa: A002
        self.asked.append(input)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return type("Answer", (), {"embeddings": [answer] if answer else []})


async def test_the_same_words_are_asked_once(nowhere: GatewaySettings) -> None:
    """Texts that prepare alike share one vector."""
    ollama = FakeOllama([1, 0, 0])
    embedder = Embedder(nowhere, ollama)  # type: ignore[arg-type]
    assert await embedder.embed("Größe") == [1.0, 0.0, 0.0]
    assert await embedder.embed("  große ") == [1.0, 0.0, 0.0] or len(ollama.asked) == 1
    assert len(ollama.asked) == 1


@pytest.mark.parametrize(
    "answer", [ConnectionError("away"), TimeoutError(), [1, 2], [0, 0, 0], None]
)
async def test_without_a_usable_vector_there_is_none(nowhere: GatewaySettings, answer: Any) -> None:
    """Away, slow, of another length, zero or empty: none; after the second nobody waits again."""
    ollama = FakeOllama(answer, answer)
    embedder = Embedder(nowhere, ollama)  # type: ignore[arg-type]
    assert [await embedder.embed(query) for query in "abc"] == [None, None, None]
    assert len(ollama.asked) == 2
    assert embedder.breaker.state == "open"
    assert embedder.breaker.reason


async def test_nothing_to_embed_asks_nobody(nowhere: GatewaySettings) -> None:
    """A query of which nothing is left when prepared has no vector."""
    ollama = FakeOllama()
    assert await Embedder(nowhere, ollama).embed("¿¡") is None  # type: ignore[arg-type]
    assert ollama.asked == []
