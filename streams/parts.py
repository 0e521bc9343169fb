"""How far long work has come that hands itself over part by part; the ledger keeps it.

Reads and writes steps, in the column `detail`.
"""

from typing import Any

from pydantic import BaseModel
from sqlalchemy import ColumnElement, and_, select, text, update
from sqlalchemy.sql.base import Executable

from schemas.tables import STEPS
from streams.clients.postgres import Database
from streams.stage import Guarded, Work


async def before(database: Database, work: Work) -> Any:  # noqa: ANN401 - what `noted` was given
    """Returns: what the part before this one has noted, as JSON; None in the first part."""
    if not work.key.part:
        return None
    query = select(STEPS.c.detail).where(_part_of(work, work.key.part - 1))
    async with database.transaction() as connection:
        return (await connection.execute(query)).scalar_one()


def noted(work: Work, known: BaseModel) -> list[Executable | Guarded]:
    """Returns: the statements that keep the progress for the next part.

    What the part before has published is not kept: its values must not outlive their documents.
    """
    detail = known.model_dump(mode="json")
    statements: list[Executable | Guarded] = [
        update(STEPS).where(_part_of(work, work.key.part)).values(detail=detail)
    ]
    if work.key.part:
        before = update(STEPS).where(_part_of(work, work.key.part - 1))
        statements.append(before.values(outputs=text("'[]'::jsonb")))
    return statements


def _part_of(work: Work, number: int) -> ColumnElement[bool]:
    key = work.key
    return and_(
        STEPS.c.gpt_id == key.gpt_id,
        STEPS.c.run_id == key.run_id,
        STEPS.c.stage == key.stage,
        STEPS.c.part == number,
    )
