"""Reads of documents that need a person."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from pydantic import TypeAdapter
from sqlalchemy import Select, select, tuple_

from gateway.database import Reader, Row
from gateway.principal import Principal
from gateway.public import link
from gateway.queries.scope import owned
from schemas.api.reviews import DoubtfulField, Review, ReviewPage
from schemas.document_types import builtin, parse
from schemas.fields import Answer, FieldAnswer
from schemas.tables import DOCUMENT_TYPES, DOCUMENTS, RUNS

_FIELDS: Final = 50
_ANSWERS: Final[TypeAdapter[dict[str, Answer]]] = TypeAdapter(dict[str, Answer])
_COLUMNS: Final = (
    "document_id",
    "run_id",
    "version",
    "batch_id",
    "title",
    "filename",
    "type",
    "type_confidence",
    "confidence",
    "page_count",
    "created_at",
)


async def page(
    reader: Reader,
    principal: Principal,
    limit: int,
    after: tuple[float, str] | None,
    **only: str | None,
) -> ReviewPage:
    """Returns: up to `limit` documents, least sure first, behind the position `after`.

    `only` names columns and the values that they must have. The page bears no cursor yet;
    `has_more` says whether it is to have one.
    """
    order = (DOCUMENTS.c.confidence, DOCUMENTS.c.document_id)
    statement = _waiting(principal).order_by(*order).limit(limit + 1)
    for column, value in only.items():
        if value is not None:
            statement = statement.where(DOCUMENTS.c[column] == value)
    if after is not None:
        statement = statement.where(tuple_(*order) > tuple_(*after))
    rows = await reader.rows(statement, principal.gpt_id)
    items = await _shown(reader, principal, rows[:limit])
    return ReviewPage(items=items, next_cursor=None, has_more=len(rows) > limit)


async def find(reader: Reader, principal: Principal, document_id: str) -> Review | None:
    """Returns: what is to be decided on a document; none where it needs no review."""
    statement = _waiting(principal).where(DOCUMENTS.c.document_id == document_id)
    found = await _shown(reader, principal, await reader.rows(statement, principal.gpt_id))
    return found[0] if found else None


def _waiting(principal: Principal) -> Select[Any]:
    return (
        select(*(DOCUMENTS.c[name] for name in _COLUMNS), RUNS.c.fields.label("answers"))
        .join(RUNS, RUNS.c.run_id == DOCUMENTS.c.run_id)
        .where(
            *owned(DOCUMENTS, principal),
            DOCUMENTS.c.needs_review,
            DOCUMENTS.c.confidence.is_not(None),
            DOCUMENTS.c.deleted_at.is_(None),
        )
    )


async def _shown(reader: Reader, principal: Principal, rows: Sequence[Row]) -> list[Review]:
    names = {row["type"] for row in rows} - {None}
    thresholds = await _thresholds(reader, principal, names) if names else {}
    return [_review(row, thresholds.get(row["type"], 1.0)) for row in rows]


async def _thresholds(reader: Reader, principal: Principal, names: set[str]) -> dict[str, float]:
    own = select(DOCUMENT_TYPES.c.name, DOCUMENT_TYPES.c.definition).where(
        *owned(DOCUMENT_TYPES, principal), DOCUMENT_TYPES.c.name.in_(names)
    )
    rows = await reader.rows(own, principal.gpt_id)
    types = {**builtin(), **{row["name"]: parse(row["definition"]) for row in rows}}
    return {name: each.review_threshold for name, each in types.items()}


def _review(row: Row, threshold: float) -> Review:
    answers = _ANSWERS.validate_python(row["answers"] or {})
    leaves = [leaf for name, answer in answers.items() for leaf in _leaves(name, answer)]
    leaves.sort(key=lambda leaf: leaf[1].confidence)
    path = link(f"/v1/documents/{row['document_id']}")
    return Review(
        review_id=row["document_id"],
        **{name: row[name] for name in _COLUMNS},
        fields=[
            DoubtfulField(
                name=name,
                value=leaf.value,
                normalised=leaf.normalised,
                confidence=leaf.confidence,
                place=leaf.place,
                doubtful=leaf.confidence < threshold,
            )
            for name, leaf in leaves[:_FIELDS]
        ],
        links={
            "decision": link(f"/v1/reviews/{row['document_id']}/decision"),
            "document": path,
            "text": f"{path}/text",
            "content": f"{path}/content",
        },
    )


def _leaves(name: str, answer: Answer) -> Iterator[tuple[str, FieldAnswer]]:
    if isinstance(answer, FieldAnswer):
        yield name, answer
        return
    parts: list[Any] = list(answer)
    for number, each in enumerate(parts):
        if isinstance(each, FieldAnswer):
            yield f"{name}.{number}", each
        else:
            yield from ((f"{name}.{number}.{column}", cell) for column, cell in each.items())
