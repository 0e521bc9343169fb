"""The `local-extractive` model: four tasks over given text, answered by rules and quotations."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from local.models import quoting, shapes
from local.models.classify import Classifier
from local.models.prompt import Prompt
from local.models.refusal import Refused
from local.models.tokens import Piece
from schemas import embedding_text

Embed = Callable[[Sequence[str]], NDArray[np.float32]]


class Extraction(Protocol):
    """What the extraction engine found: values shaped like the schema, and their scores."""

    @property
    def values(self) -> Mapping[str, Any]:
        """The values, verbatim; null where absent."""

    @property
    def scores(self) -> Mapping[str, Any]:
        """How sure it is of each value, 0..1, shaped like the values."""


Extract = Callable[[str, Mapping[str, Any]], Extraction]


class Extractive:
    """Answers a prompt from the text in it; the same prompt has the same answer."""

    def __init__(self, embed: Embed, extract: Extract) -> None:
        """Take the embedder of already prepared texts and the extraction engine."""
        self._raw_embed = embed
        self._extract = extract
        self._classifier = Classifier(self._embed)
        self._tasks: dict[str, Callable[[Prompt, str | dict[str, Any] | None], list[Piece]]] = {
            "": self._talk,
            "classify": self._classify,
            "extract": self._extract_fields,
            "summarise": self._summarise,
            "answer": self._answer,
        }

    def answer(self, asked: Prompt, wanted: str | dict[str, Any] | None) -> list[Piece]:
        """Return the answer in pieces.

        Raises:
            Refused: 400 when the task is unknown or the format is not one that it can serve.
        """
        if asked.task not in self._tasks:
            raise Refused(400, shapes.ONLY)
        return self._tasks[asked.task](asked, wanted)

    def _embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of raw texts, prepared as every embedder gets them."""
        return self._raw_embed([embedding_text.prepare(text) for text in texts])

    def _classify(self, asked: Prompt, wanted: str | dict[str, Any] | None) -> list[Piece]:
        """Rank the prompt's types for its document, best first."""
        if not asked.types:
            raise Refused(400, "TASK: classify needs a <types> block")
        ranked = self._classifier.rank("\f".join(asked.documents), asked.types)
        value = {
            "candidates": [{"type": name, "confidence": round(share, 4)} for name, share in ranked]
        }
        scores = {"candidates": [{"type": share} for _, share in ranked]}
        return shapes.write(_checked(value, wanted), scores)

    def _extract_fields(self, asked: Prompt, wanted: str | dict[str, Any] | None) -> list[Piece]:
        """Copy the values of the format's fields out of the document."""
        if not isinstance(wanted, dict):
            raise Refused(400, "TASK: extract needs a JSON schema as format")
        found = self._extract("\f".join(asked.documents), wanted)
        return shapes.write(_checked(found.values, wanted), found.scores)

    def _summarise(self, asked: Prompt, wanted: str | dict[str, Any] | None) -> list[Piece]:
        """Quote the sentences that stand for most of the document."""
        summary = quoting.summarise("\f".join(asked.documents), self._embed)
        return _as_text(summary, wanted, "summary")

    def _answer(self, asked: Prompt, wanted: str | dict[str, Any] | None) -> list[Piece]:
        """Quote the sentences of the documents that bear on the question."""
        reply = quoting.answer(asked.question, asked.documents, self._embed)
        return _as_text(reply, wanted, "answer")

    def _talk(self, asked: Prompt, wanted: str | dict[str, Any] | None) -> list[Piece]:
        """Quote from the conversation's own text; a schema gets its emptiest valid answer."""
        if isinstance(wanted, dict):
            return shapes.write(shapes.checked(shapes.emptiest(wanted), wanted))
        turns = [turn.content or "" for turn in asked.turns]
        if not turns:
            return _as_text(quoting.NOTHING, wanted, "answer")
        *earlier, last = turns
        given, _, question = last.rstrip().rpartition("\n")
        reply = quoting.answer(question, [*earlier, given, *asked.documents], self._embed)
        return _as_text(reply, wanted, "answer")


def _as_text(text: str, wanted: str | dict[str, Any] | None, name: str) -> list[Piece]:
    """Return `text` bare, or as JSON where a format is wanted."""
    if not wanted:
        return [Piece(text)]
    if isinstance(wanted, str):
        return shapes.write({name: text})
    return shapes.write(_checked(shapes.with_text(wanted, text), wanted))


def _checked(value: Any, wanted: str | dict[str, Any] | None) -> Any:  # noqa: ANN401 - JSON
    """Return `value` if the format, where there is a schema, allows it."""
    return shapes.checked(value, wanted) if isinstance(wanted, dict) else value
