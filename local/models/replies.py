"""The bodies that `/api/chat` and `/api/generate` answer with, whole or a line a token."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from local.models.completion import Completion
from local.models.tokens import Piece

Form = Callable[[str], dict[str, Any]]
"""Puts text where a call's answer has it."""


def chat_form(text: str) -> dict[str, Any]:
    """Return `text` as `/api/chat` carries it."""
    return {"message": {"role": "assistant", "content": text}}


def generate_form(text: str) -> dict[str, Any]:
    """Return `text` as `/api/generate` carries it."""
    return {"response": text}


@dataclass(frozen=True, slots=True)
class Reply:
    """A completion on its way out: the name it was asked by, the form, and what else was asked."""

    model: str
    form: Form
    completion: Completion
    load_ns: int
    total_ns: int
    top_logprobs: int | None
    """How many alternatives to list beside each token; None for no log probabilities at all."""

    def whole(self) -> dict[str, Any]:
        """Return the answer as one object."""
        body = self._opened(self.completion.content) | self._closed()
        if self.top_logprobs is not None:
            body["logprobs"] = [self._logprob(token) for token in self.completion.tokens]
        return body

    def lines(self) -> Iterator[bytes]:
        """Yield the answer as lines of JSON, one a token, and a last one with the counters."""
        for token in self.completion.tokens:
            body = self._opened(token.text) | {"done": False}
            if self.top_logprobs is not None:
                body["logprobs"] = [self._logprob(token)]
            yield orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE)
        last = self._opened("") | self._closed()
        yield orjson.dumps(last, option=orjson.OPT_APPEND_NEWLINE)

    def _opened(self, text: str) -> dict[str, Any]:
        """Return what every object begins with."""
        return {"model": self.model, "created_at": now(), **self.form(text)}

    def _closed(self) -> dict[str, Any]:
        """Return what the last object ends with: why it ended, and the counters in nanoseconds."""
        return {
            "done": True,
            "done_reason": self.completion.done_reason,
            "total_duration": self.total_ns,
            "load_duration": self.load_ns,
            "prompt_eval_count": self.completion.prompt_tokens,
            "prompt_eval_duration": self.completion.prompt_ns,
            "eval_count": len(self.completion.tokens),
            "eval_duration": self.completion.answer_ns,
        }

    def _logprob(self, token: Piece) -> dict[str, Any]:
        """Return a token's log probability; the only alternative known is the token itself."""
        entry: dict[str, Any] = {
            "token": token.text,
            "logprob": token.logprob,
            "bytes": list(token.text.encode()),
        }
        return {**entry, "top_logprobs": [entry]} if self.top_logprobs else entry


def empty(model: str, form: Form, done_reason: str) -> dict[str, Any]:
    """Return the answer to a call without input, which only loads or unloads the model."""
    body = {"model": model, "created_at": now(), **form("")}
    return {**body, "done": True, "done_reason": done_reason}


def now() -> str:
    """Return the time of an answer."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
