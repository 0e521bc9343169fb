"""Models whose answers a test sets, and a parser and a fetcher that need no process or network."""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streams.clients.fetch import FetchRefused
from streams.clients.ollama import ModelAnswer
from streams.parsing.page import ParsedPart

DIMENSIONS = 384


@dataclass
class FakeModels:
    """Answers with what `reply` makes of the schema; `asked` keeps what was asked."""

    reply: Callable[[str, dict[str, Any]], ModelAnswer]
    context_tokens: int = 8192
    chat_model: str = "fake-chat"
    embedding_model: str = "fake-embed"
    sees: bool = False
    seconds: float = 0.0
    asked: list[str] = field(default_factory=list)
    dimensions: dict[str, int] = field(default_factory=dict)

    async def answer(
        self,
        *,
        system: str,
        user: str,
        schema: dict[str, Any],
        images: Sequence[bytes] = (),
        record: str | None = None,
    ) -> ModelAnswer:
        del system, images, record
        self.asked.append(user)
        await asyncio.sleep(self.seconds)
        return self.reply(user, schema)

    async def embed(
        self, texts: Sequence[str], *, model: str | None = None, record: str | None = None
    ) -> list[list[float]]:
        del record
        length = self.dimensions.get(model or self.embedding_model, DIMENSIONS)
        return [_vector(text, length) for text in texts]


def _vector(text: str, length: int) -> list[float]:
    digest = hashlib.sha256(text.encode()).digest()
    return [(digest[i % 32] + 1) / 256 for i in range(length)]


@dataclass
class FakeParser:
    """Returns the parts that it was given, by the page they begin at."""

    parts: dict[int, ParsedPart]
    begun: list[int] = field(default_factory=list)

    async def parse(self, path: Path, content_type: str, *, first_page: int) -> ParsedPart:
        del path, content_type
        self.begun.append(first_page)
        return self.parts[first_page]


async def no_network(url: str, target: Path) -> None:
    """Refuse every link."""
    del target
    raise FetchRefused("bad_url", f"{url} is not fetched in tests.")
