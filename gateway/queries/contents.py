"""Reads of what was made of a document: text, fields, chunks, runs."""

from typing import Any, Final

from sqlalchemy import func, select

from gateway.database import Reader, Row
from gateway.principal import Principal
from gateway.public import problem
from gateway.queries.scope import owned
from schemas.api.contents import (
    Chunk,
    Correction,
    DocumentChunks,
    DocumentFields,
    DocumentRuns,
    DocumentText,
    Run,
    TextPage,
)
from schemas.tables import CHUNKS, CORRECTIONS, PAGES, RUNS

TEXT_CHARS: Final = 60_000
"""Characters of one answer's text; a GPT refuses answers of 100,000, quotes and escapes counted."""

_MOST: Final = 1000
_RUN: Final = tuple(name for name in Run.model_fields if name != "current")


async def text(
    reader: Reader, principal: Principal, document: Row, limit: int, after: int
) -> DocumentText:
    """Returns: up to `limit` pages behind page `after`, and at most `TEXT_CHARS` characters.

    At least one page is returned whole. The answer bears no cursor yet.
    """
    length = func.length(PAGES.c.text)
    # The pages before this one, with a form feed behind each.
    start = func.sum(length + 1).over(order_by=PAGES.c.number) - length - 1
    placed = (
        select(PAGES.c.number, PAGES.c.source, PAGES.c.confidence, start.label("start"))
        .where(PAGES.c.run_id == document["run_id"], *owned(PAGES, principal))
        .subquery()
    )
    statement = (
        select(placed, PAGES.c.text)
        .join(PAGES, (PAGES.c.number == placed.c.number) & (PAGES.c.run_id == document["run_id"]))
        .where(placed.c.number > after)
        .order_by(placed.c.number)
        .limit(limit + 1)
    )
    rows = list(await reader.rows(statement, principal.gpt_id))
    kept = _fitting(rows[:limit])
    return DocumentText(
        document_id=document["document_id"],
        run_id=document["run_id"],
        status=document["status"],
        page_count=document["page_count"],
        pages=[_page(row) for row in kept],
        next_cursor=None,
        has_more=len(rows) > len(kept),
    )


def _fitting(rows: list[Row]) -> list[Row]:
    kept: list[Row] = []
    chars = 0
    for row in rows:
        chars += len(row["text"])
        if kept and chars > TEXT_CHARS:
            break
        kept.append(row)
    return kept


def _page(row: Row) -> TextPage:
    start = int(row["start"])
    return TextPage(
        page=row["number"],
        start=start,
        end=start + len(row["text"]),
        source=row["source"],
        confidence=row["confidence"],
        text=row["text"],
    )


async def fields(reader: Reader, principal: Principal, document: Row) -> DocumentFields:
    """Returns: effective values, the machine's answers with evidence, and all corrections."""
    answered = select(RUNS.c.fields).where(
        RUNS.c.run_id == document["run_id"], *owned(RUNS, principal)
    )
    run = await reader.row(answered, principal.gpt_id)
    corrected = (
        select(CORRECTIONS)
        .where(
            CORRECTIONS.c.document_id == document["document_id"],
            *owned(CORRECTIONS, principal),
        )
        .order_by(CORRECTIONS.c.corrected_at, CORRECTIONS.c.name)
        .limit(_MOST)
    )
    corrections = await reader.rows(corrected, principal.gpt_id)
    names = ("document_id", "run_id", "status", "version", "type", "confidence", "needs_review")
    shown = {name: document[name] for name in names}
    answers = {} if run is None else run["fields"] or {}
    return DocumentFields.model_validate(
        {
            **shown,
            "values": document["fields"],
            "answers": answers,
            "corrections": [_correction(row) for row in corrections],
        }
    )


def only(found: DocumentFields, names: set[str]) -> DocumentFields:
    """Returns: the same without the fields that are not named; a long table can be left out."""
    return found.model_copy(
        update={
            "values": {name: value for name, value in found.values.items() if name in names},
            "answers": {name: one for name, one in found.answers.items() if name in names},
            "corrections": [one for one in found.corrections if one.name in names],
        }
    )


def _correction(row: Row) -> Correction:
    return Correction(**{name: row[name] for name in Correction.model_fields})


async def chunks(
    reader: Reader, principal: Principal, document: Row, limit: int, after: int
) -> DocumentChunks:
    """Returns: up to `limit` chunks behind the ordinal `after`; the answer bears no cursor yet."""
    statement = (
        select(CHUNKS)
        .where(
            CHUNKS.c.run_id == document["run_id"],
            CHUNKS.c.ordinal > after,
            *owned(CHUNKS, principal),
        )
        .order_by(CHUNKS.c.ordinal)
        .limit(limit + 1)
    )
    rows = await reader.rows(statement, principal.gpt_id)
    return DocumentChunks(
        document_id=document["document_id"],
        run_id=document["run_id"],
        status=document["status"],
        items=[_chunk(row) for row in rows[:limit]],
        next_cursor=None,
        has_more=len(rows) > limit,
    )


def _chunk(row: Row) -> Chunk:
    return Chunk(
        ordinal=row["ordinal"],
        page=row["page"],
        start=row["start_offset"],
        end=row["end_offset"],
        text=row["text"],
    )


async def runs(reader: Reader, principal: Principal, document: Row) -> DocumentRuns:
    """Returns: all runs of a document, newest first, at most 1,000."""
    statement = (
        select(*(RUNS.c[name] for name in _RUN))
        .where(RUNS.c.document_id == document["document_id"], *owned(RUNS, principal))
        .order_by(RUNS.c.number.desc())
        .limit(_MOST)
    )
    rows = await reader.rows(statement, principal.gpt_id)
    return DocumentRuns(
        document_id=document["document_id"],
        items=[_run(row, document["run_id"]) for row in rows],
    )


def _run(row: Row, current: str | None) -> Run:
    values: dict[str, Any] = {name: row[name] for name in _RUN}
    values["candidates"] = values["candidates"] or []
    values["problem"] = problem(row["problem"])
    return Run(**values, current=row["run_id"] == current)
