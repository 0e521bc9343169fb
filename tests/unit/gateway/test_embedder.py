"""Query vectors are cached, checked, and done without when the model is away."""

from typing import Any

import pytest

from gateway.embedder import Embedder
from gateway.settings import GatewaySettings
from schemas.indexes import Vectors

THREE = Vectors("three", 3)


class FakeOllama:
    """Answers with the vectors it is given, or raises them."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        self.models: list[str] = []

    async def embed(self, *, model: str, input: str, truncate: bool) -> Any:  # noqa: A002
        self.asked.append(input)
        self.models.append(model)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return type("Answer", (), {"embeddings": [answer] if answer else []})


async def test_the_same_words_are_asked_once(nowhere: GatewaySettings) -> None:
    """Texts that prepare alike share one vector."""
    ollama = FakeOllama([1, 0, 0])
    embedder = Embedder(nowhere, ollama)  # type: ignore[arg-type]
    assert await embedder.embed("Größe", THREE) == [1.0, 0.0, 0.0]
    assert await embedder.embed("  große ", THREE) == [1.0, 0.0, 0.0] or len(ollama.asked) == 1
    assert len(ollama.asked) == 1


@pytest.mark.parametrize(
    "answer", [ConnectionError("away"), TimeoutError(), [1, 2], [0, 0, 0], None]
)
async def test_without_a_usable_vector_there_is_none(nowhere: GatewaySettings, answer: Any) -> None:
    """Away, slow, of another length, zero or empty: none; after the second nobody waits again."""
    ollama = FakeOllama(answer, answer)
    embedder = Embedder(nowhere, ollama)  # type: ignore[arg-type]
    assert [await embedder.embed(query, THREE) for query in "abc"] == [None, None, None]
    assert len(ollama.asked) == 2
    assert embedder.breaker.state == "open"
    assert embedder.breaker.reason


async def test_nothing_to_embed_asks_nobody(nowhere: GatewaySettings) -> None:
    """A query of which nothing is left when prepared has no vector."""
    ollama = FakeOllama()
    assert await Embedder(nowhere, ollama).embed("¿¡", THREE) is None  # type: ignore[arg-type]
    assert ollama.asked == []


async def test_vectors_of_two_indexes_do_not_mix(nowhere: GatewaySettings) -> None:
    """Each index's model is asked, and a breaker that one has opened does not hold up the other."""
    ollama = FakeOllama([1, 0, 0], [0, 1], ConnectionError("away"), ConnectionError("away"), [1, 1])
    embedder = Embedder(nowhere, ollama)  # type: ignore[arg-type]
    two = Vectors("two", 2)
    assert await embedder.embed("a", THREE) == [1.0, 0.0, 0.0]
    assert await embedder.embed("a", two) == [0.0, 1.0]
    assert [await embedder.embed(query, THREE) for query in "bcd"] == [None, None, None]
    assert await embedder.embed("b", two) == [1.0, 1.0]
    assert ollama.models == ["three", "two", "three", "three", "two"]


async def test_texts_prepared_otherwise_are_not_embedded(nowhere: GatewaySettings) -> None:
    """An index whose texts an older release prepared has no vector for a query."""
    ollama = FakeOllama()
    old = Vectors("three", 3, preparation=0)
    assert await Embedder(nowhere, ollama).embed("a", old) is None  # type: ignore[arg-type]
    assert ollama.asked == []
