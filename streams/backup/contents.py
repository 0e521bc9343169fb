"""What a database holds, counted: the same way when it is dumped and when it was restored."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import psycopg

from streams.backup.address import Address, Connection, named

UNKEPT_SCHEMA: Final = "edge"
"""The gateway's buckets and uses of keys: its tables are in a backup, what is in them is not."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A moment of the live database, which other connections can look at too."""

    connection: Connection
    snapshot_id: str
    server_version: str


@asynccontextmanager
async def snapshot(address: Address) -> AsyncIterator[Snapshot]:
    """Yield a moment that lasts as long as this context.

    Raises: BackupFailed: Postgres is away or refuses.
    """
    async with address.connect() as connection:
        await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        exported = await connection.execute(
            "SELECT pg_export_snapshot(), current_setting('server_version')"
        )
        name, version = await _one(exported)
        yield Snapshot(connection, str(name), str(version))


async def rows_by_table(connection: Connection) -> dict[str, int]:
    """Count the rows of every table whose content belongs into a backup.

    Returns: rows by `schema.table`, in that order; no unlogged and no temporary tables.
    """
    found = await connection.execute(
        "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND n.nspname <> %s"
        " AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%%' ORDER BY 1, 2",
        [UNKEPT_SCHEMA],
    )
    counts = {}
    for schema, table in await found.fetchall():
        counted = await connection.execute(named("SELECT count(*) FROM {}", schema, table))
        counts[f"{schema}.{table}"] = int((await _one(counted))[0])
    return counts


async def revision(connection: Connection) -> str | None:
    """Returns: the revision of the migrations; None where none were run."""
    found = await connection.execute("SELECT to_regclass('alembic_version')")
    if (await _one(found))[0] is None:
        return None
    row = await (await connection.execute("SELECT version_num FROM alembic_version")).fetchone()
    return None if row is None else str(row[0])


async def _one(cursor: psycopg.AsyncCursor[Any]) -> Any:  # noqa: ANN401 - a row of any shape
    return await cursor.fetchone()
