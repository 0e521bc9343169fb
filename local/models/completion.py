"""Run one chat or generate call: the context limit, the answer, where it stops, its counters."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from local.models import prompt, tokens
from local.models.prompt import Prompt
from local.models.refusal import Refused
from local.models.requests import CompletionBody, Message, Options
from local.models.tokens import Piece

TOO_LONG = "the input length exceeds the context length"


class Answers(Protocol):
    """What can answer a prompt in a format: None, "json" or a JSON schema."""

    def answer(self, asked: Prompt, wanted: str | dict[str, Any] | None) -> list[Piece]:
        """Return the answer in pieces."""


@dataclass(frozen=True, slots=True)
class Completion:
    """An answer as tokens, why it ended ("stop" or "length"), and what it took in nanoseconds."""

    tokens: tuple[Piece, ...]
    done_reason: str
    prompt_tokens: int
    prompt_ns: int
    answer_ns: int

    @property
    def content(self) -> str:
        """The whole answer."""
        return "".join(token.text for token in self.tokens)


def complete(
    answers: Answers, messages: Sequence[Message], body: CompletionBody, context_length: int
) -> Completion:
    """Return the answer to `messages`.

    Raises:
        Refused: 400 when the input is longer than the context and `truncate` is off, or when
            the format cannot be served.
    """
    began = time.perf_counter_ns()
    options = body.options or Options()
    limit = min(options.num_ctx or context_length, context_length)
    asked = prompt.read(messages)
    count = sum(tokens.count(message.content or "") for message in messages)
    if count > limit:
        if body.truncate is False:
            raise Refused(400, TOO_LONG)
        asked, count = _shortened(asked, limit), limit
    read = time.perf_counter_ns()
    answer = tokens.tokenise(answers.answer(asked, body.format))
    kept = _before_stop(answer, options.stop or [])
    most = options.num_predict if (options.num_predict or 0) > 0 else len(kept)
    return Completion(
        tokens=tuple(kept[:most]),
        done_reason="length" if len(kept) > (most or 0) else "stop",
        prompt_tokens=count,
        prompt_ns=read - began,
        answer_ns=time.perf_counter_ns() - read,
    )


def _shortened(asked: Prompt, limit: int) -> Prompt:
    """Return the prompt with the ends of its documents cut, so that it fits into `limit` tokens."""
    left = max(0, limit - tokens.count(asked.instructions))
    documents = []
    for document in asked.documents:
        documents.append(tokens.cut(document, left))
        left -= tokens.count(documents[-1])
    return replace(asked, documents=tuple(documents))


def _before_stop(answer: list[Piece], stops: Sequence[str]) -> list[Piece]:
    """Return the tokens before the first of the words at which the caller wants to stop."""
    content = "".join(token.text for token in answer)
    ends = [content.find(stop) for stop in stops if stop and stop in content]
    if not ends:
        return answer
    kept: list[Piece] = []
    left = min(ends)
    for token in answer:
        if left <= 0:
            break
        kept.append(replace(token, text=token.text[:left]))
        left -= len(token.text)
    return kept
