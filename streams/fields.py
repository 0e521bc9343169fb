"""Asking a model for a document's fields by a type, window by window.

Both the `extract` stage and the trying out of types do it through here.
"""

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from datetime import timedelta

from schemas.document_types import DocumentType, answer_schema
from streams.answers import Answers
from streams.clients.ollama import CutOff, ModelAnswer
from streams.errors import RecordTrouble
from streams.extraction import (
    AnswerMismatch,
    Extracted,
    Reading,
    Window,
    assemble,
    estimate_tokens,
    halve,
    read_answer,
    split,
)
from streams.parsing.page import Page
from streams.prompts import field_list, render
from streams.stage import Work

PROMPT_VERSION = 1


async def extract_fields(
    answers: Answers,
    work: Work,
    document_type: DocumentType,
    pages: list[Page],
    *,
    budget: timedelta,
) -> Extracted | None:
    """Returns: the fields with their evidence, or None if the time budget ended before the windows.

    Answers are kept, so a later call goes on where this one ended.

    Raises: RecordTrouble, DependencyDown: as the model client does.
    """
    if not document_type.fields.properties or not any(page.text.strip() for page in pages):
        return assemble(document_type, [Reading({})], pages, model=answers.chat_model)
    end = time.monotonic() + budget.total_seconds()
    described = field_list(document_type)
    empty = render("extract", PROMPT_VERSION, documents=[[""]], fields=described)
    room = answers.context_tokens - estimate_tokens(empty.user + empty.system)
    windows = deque(await asyncio.to_thread(split, pages, room))
    whole = len(windows) == 1
    readings: list[Reading] = []
    asked_now = False
    while windows:
        # What is recalled costs the model nothing: each part of the work asks at least once.
        if asked_now and time.monotonic() > end:
            return None
        window = windows.popleft()
        asked = _Asked(document_type, described, len(readings), window, whole=whole)
        try:
            answer = await _ask(answers, work, asked)
        except CutOff:
            halves = halve(window)
            if not halves:
                raise
            windows.extendleft(reversed(halves))
            whole = False
        else:
            asked_now = asked_now or not answer.recalled
            readings.append(_reading(asked, answer))
    return await asyncio.to_thread(
        assemble, document_type, readings, pages, model=answers.chat_model
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    document_type: DocumentType
    described: str
    number: int
    window: Window
    whole: bool


def _reading(asked: _Asked, answer: ModelAnswer) -> Reading:
    """Raises: RecordTrouble: the answer is not of the type's shape."""
    place = None if asked.whole else asked.window
    try:
        return read_answer(asked.document_type, answer.content, answer.logprobs, place)
    except AnswerMismatch as error:
        raise RecordTrouble("models", str(error)) from error


async def _ask(answers: Answers, work: Work, asked: _Asked) -> ModelAnswer:
    return await answers.ask(
        work,
        call=f"extract:{asked.number}",
        prompt=render(
            "extract", PROMPT_VERSION, documents=[asked.window.texts], fields=asked.described
        ),
        schema=answer_schema(asked.document_type),
        check=lambda answer: _checked(asked, answer),
        pages=asked.window.pages,
    )


def _checked(asked: _Asked, answer: ModelAnswer) -> None:
    _reading(asked, answer)
