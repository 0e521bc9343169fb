"""The table of rebuilds: which one is under way, how far it is, and how each one ended.

Reads and writes rebuilds.
"""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import func, insert, select, update

from schemas.states import RebuildState
from schemas.tables import REBUILDS
from streams.clients.postgres import Database

_ENDED: Final = (RebuildState.DONE, RebuildState.ABORTED)


@dataclass(frozen=True, slots=True)
class Rebuild:
    """A rebuild: `after` is the last document or object that its first walk has passed."""

    index_name: str
    model: str
    state: RebuildState
    after: str
    done: int
    total: int


async def unfinished(database: Database) -> Rebuild | None:
    """Returns: the rebuild that is under way or was left in the middle."""
    columns = REBUILDS.c
    query = select(
        columns.index_name,
        columns.model,
        columns.state,
        func.coalesce(columns.after, "").label("after"),
        columns.done,
        columns.total,
    ).where(columns.state.not_in(_ENDED))
    async with database.transaction() as connection:
        row = (await connection.execute(query)).mappings().one_or_none()
    if row is None:
        return None
    return Rebuild(**{**row, "state": RebuildState(row["state"])})


async def names(database: Database, *states: RebuildState) -> list[str]:
    """Returns: the indexes of all rebuilds in these states, in any if none is given."""
    query = select(REBUILDS.c.index_name)
    if states:
        query = query.where(REBUILDS.c.state.in_(states))
    async with database.transaction() as connection:
        return list((await connection.execute(query)).scalars())


async def enter(database: Database, index_name: str, model: str, total: int) -> Rebuild:
    """Enter a rebuild of so many documents and objects that nobody writes to yet. Returns: it."""
    state = RebuildState.STARTING
    row = insert(REBUILDS).values(index_name=index_name, model=model, state=state, total=total)
    async with database.transaction() as connection:
        await connection.execute(row)
    return Rebuild(index_name, model, state, "", 0, total)


async def change(database: Database, index_name: str, **values: Any) -> None:  # noqa: ANN401 - SQL
    """Change the row of a rebuild; who commits a state that is written to may read on."""
    statement = update(REBUILDS).where(REBUILDS.c.index_name == index_name)
    async with database.transaction() as connection:
        await connection.execute(statement.values(updated_at=func.now(), **values))
