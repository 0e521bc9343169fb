"""What a new run takes over from an earlier one when it does not begin with `parse`.

Reads runs and steps. Gives the statements that copy pages and answers, and the fact that the first
stage of the new run reads.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, literal, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql.base import Executable

from schemas import topics
from schemas.messages import (
    DocumentClassified,
    DocumentExtracted,
    DocumentParsed,
    DocumentReceived,
    ReprocessDocument,
)
from schemas.tables import PAGES, RUNS, STEPS
from streams.clients.postgres import Database
from streams.errors import Refused
from streams.stage import Output

_BEYOND_PARSE: Final = ("classify", "extract", "index", "complete")
_READ: Final = ("page_count", "notices")
_CLASSIFIED: Final = (*_READ, "type", "type_confidence", "candidates")
_EXTRACTED: Final = (*_CLASSIFIED, "fields", "confidence", "needs_review", "models")


@dataclass(frozen=True, slots=True)
class Start:
    """How a new run begins.

    `columns` are those of its row that another run filled, `statements` copy the rest, and `first`
    is the fact that its first stage reads.
    """

    first: Output
    columns: Mapping[str, Any] = field(default_factory=dict)
    statements: Sequence[Executable] = ()


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run that is about to be entered, of this document; `type` is what it is known to be."""

    run_id: str
    document: Row[Any]
    type: str | None


async def start(database: Database, message: ReprocessDocument, run: NewRun) -> Start:
    """Returns: how the run begins at the stage that the message names.

    Raises: Refused (409): there is nothing to take over; (422): a type is given too late.
    """
    if message.from_stage == "parse":
        return _from_parse(message, run)
    if message.from_stage == "index" and message.type is not None:
        detail = "A type is of no use from `index` on; run it again from `extract`."
        raise Refused("type_too_late", detail, 422)
    way = _WAYS[message.from_stage]
    source = await _source(database, message.document_id, way.has)
    if source is None:
        detail = f"No run of the document has got so far; run it again from {way.before}."
        raise Refused(way.code, detail, 409)
    columns = {name: getattr(source, name) for name in way.columns}
    if message.from_stage == "extract" and run.type is not None:
        given = {"type": run.type, "confidence": 1.0}
        columns |= {"type": run.type, "type_confidence": 1.0, "candidates": [given]}
    first = _fact(message, run, columns)
    return Start(first, columns, (_pages(source.run_id, run.run_id),))


def _from_parse(message: ReprocessDocument, run: NewRun) -> Start:
    received = DocumentReceived(
        document_id=message.document_id,
        run_id=run.run_id,
        s3_key=run.document.s3_key,
        content_type=run.document.content_type,
        filename=run.document.filename,
    )
    return Start(Output(topics.DOCUMENT_RECEIVED, message.document_id, received))


def _fact(message: ReprocessDocument, run: NewRun, columns: Mapping[str, Any]) -> Output:
    of: dict[str, str] = {"document_id": message.document_id, "run_id": run.run_id}
    match message.from_stage:
        case "classify":
            parsed = DocumentParsed(**of, page_count=columns["page_count"])
            return Output(topics.DOCUMENT_PARSED, message.document_id, parsed)
        case "extract":
            classified = DocumentClassified(
                **of, type=columns["type"], confidence=columns["type_confidence"]
            )
            return Output(topics.DOCUMENT_CLASSIFIED, message.document_id, classified)
        case _:
            extracted = DocumentExtracted(
                **of,
                type=columns["type"],
                confidence=columns["confidence"],
                needs_review=columns["needs_review"],
            )
            return Output(topics.DOCUMENT_EXTRACTED, message.document_id, extracted)


@dataclass(frozen=True, slots=True)
class _Way:
    """What a first stage needs of an earlier run: which run `has` it, and its columns."""

    has: ColumnElement[bool]
    columns: tuple[str, ...]
    code: str
    before: str


# All pages are there once a later stage has begun; a type is stored later still.
_PARSED: Final = or_(
    RUNS.c.type.is_not(None),
    select(STEPS.c.run_id)
    .where(
        STEPS.c.gpt_id == RUNS.c.gpt_id,
        STEPS.c.run_id == RUNS.c.run_id,
        STEPS.c.stage.in_(_BEYOND_PARSE),
    )
    .exists(),
)
_WAYS: Final = {
    "classify": _Way(_PARSED, _READ, "not_parsed", "`parse`"),
    "extract": _Way(RUNS.c.type.is_not(None), _CLASSIFIED, "not_classified", "`classify`"),
    "index": _Way(RUNS.c.fields.is_not(None), _EXTRACTED, "not_extracted", "`extract`"),
}


async def _source(
    database: Database, document_id: str, has: ColumnElement[bool]
) -> Row[Any] | None:
    """Returns: the document's latest run that has what is needed."""
    query = select(RUNS).where(RUNS.c.document_id == document_id, has)
    async with database.transaction() as connection:
        return (
            await connection.execute(query.order_by(RUNS.c.number.desc()).limit(1))
        ).one_or_none()


def _pages(source: str, run_id: str) -> Executable:
    names = [column.name for column in PAGES.columns]
    copied = select(
        *(literal(run_id) if name == "run_id" else PAGES.c[name] for name in names)
    ).where(PAGES.c.run_id == source)
    return insert(PAGES).from_select(names, copied).on_conflict_do_nothing()
