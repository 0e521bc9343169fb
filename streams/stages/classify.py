"""Classify: which of the tenant's document types a document is.

Reads document-parsed. Writes the run's type, candidates and confidence; emits document-classified.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from sqlalchemy import update

from schemas import topics
from schemas.events import EventType
from schemas.messages import DocumentClassified, DocumentParsed
from schemas.tables import RUNS
from streams import documents
from streams.answers import Answers
from streams.clients.ollama import ModelAnswer
from streams.clients.postgres import Database
from streams.errors import InvalidMessage, RecordTrouble
from streams.extraction import estimate_tokens, split
from streams.parsing.page import Page
from streams.prompts import render, type_list
from streams.stage import Event, Outcome, Output, Stage, Work

PROMPT_VERSION = 1
_PAGES = 20
"""Pages that the type is judged by at most; what comes later does not change what a document is."""


class Candidate(BaseModel):
    """A type, and how probable the model holds it to be."""

    model_config = ConfigDict(strict=True, extra="ignore")

    type: str
    confidence: float = Field(ge=0, le=1)


class _Candidates(BaseModel):
    candidates: list[Candidate] = Field(min_length=1)


def stage(database: Database, answers: Answers) -> Stage[DocumentParsed]:
    """Returns: the stage."""

    async def judge(work: Work, pages: list[Page], types: dict[str, Any]) -> list[Candidate]:
        listed = type_list(list(types.values()))
        room = answers.context_tokens - estimate_tokens(
            render("classify", PROMPT_VERSION, documents=[[""]], types=listed).user
        )
        [window, *_] = split(pages, room)
        prompt = render("classify", PROMPT_VERSION, documents=[window.texts], types=listed)
        names = sorted(types)
        answer = await answers.ask(
            work,
            call="classify",
            prompt=prompt,
            schema=_schema(names),
            check=lambda given: _check(given, names),
            pages=window.pages,
        )
        return _ranked(_Candidates.model_validate(answer.value).candidates)

    async def classify(message: DocumentParsed, work: Work) -> Outcome:
        run = await documents.run(database, message.run_id)
        types = await documents.document_types(database, work.gpt_id)
        if run.requested_type is not None:
            if run.requested_type not in types:
                known = ", ".join(sorted(types))
                detail = f"There is no type `{run.requested_type}`; there are {known}."
                raise InvalidMessage("unknown_type", detail)
            ranked = [Candidate(type=run.requested_type, confidence=1.0)]
        else:
            pages = await documents.pages(database, message.run_id, limit=_PAGES)
            if any(page.text.strip() for page in pages):
                ranked = await judge(work, pages, types)
            else:
                ranked = [Candidate(type="other", confidence=0.0)]
        best = ranked[0]
        statement = (
            update(RUNS)
            .where(RUNS.c.run_id == message.run_id)
            .values(
                type=best.type,
                type_confidence=best.confidence,
                candidates=[candidate.model_dump() for candidate in ranked],
            )
        )
        classified = DocumentClassified(
            document_id=message.document_id,
            run_id=message.run_id,
            type=best.type,
            confidence=best.confidence,
        )
        told: dict[str, JsonValue] = {"run_id": message.run_id, **best.model_dump()}
        return Outcome(
            (statement,),
            (Output(topics.DOCUMENT_CLASSIFIED, message.document_id, classified),),
            events=(Event(EventType.DOCUMENT_CLASSIFIED, told),),
        )

    return Stage("classify", topics.DOCUMENT_PARSED, classify)


def _schema(names: list[str]) -> dict[str, Any]:
    candidate = {
        "type": "object",
        "properties": {"type": {"enum": names}, "confidence": {"type": "number"}},
        "required": ["type", "confidence"],
    }
    return {
        "type": "object",
        "properties": {"candidates": {"type": "array", "items": candidate}},
        "required": ["candidates"],
    }


def _check(answer: ModelAnswer, names: list[str]) -> None:
    try:
        candidates = _Candidates.model_validate(answer.value).candidates
    except ValidationError as error:
        detail = "the answer to `classify` does not have the shape asked for"
        raise RecordTrouble("models", detail) from error
    if any(candidate.type not in names for candidate in candidates):
        raise RecordTrouble("models", "the answer to `classify` names a type that does not exist")


def _ranked(candidates: list[Candidate]) -> list[Candidate]:
    return sorted(candidates, key=lambda candidate: -candidate.confidence)
