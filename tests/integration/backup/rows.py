"""Rows for every table there is, and what all tables hold, in a form that can be compared."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from psycopg import sql

from streams.backup.address import Address, Connection

TABLES: Final = (
    "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind = 'r' AND n.nspname IN ('public', 'edge') ORDER BY 1, 2"
)
COLUMNS: Final = (
    "SELECT column_name, CASE data_type WHEN 'ARRAY' THEN udt_name ELSE data_type END"
    " FROM information_schema.columns"
    " WHERE table_schema = %s AND table_name = %s AND is_generated = 'NEVER'"
)
ROWS: Final = 7
TEXT: Final = "Ärger, 漢字 🧾 \\ \t\n'\"\x01"


def value(kind: str, number: int) -> Any:
    """A value of a column's type that is another one for each row."""
    data = json.dumps({"n": 10**30 + number, "text": TEXT.replace("\x01", "")})
    values = {
        "text": f"{TEXT}{number}",
        "json": data,
        "jsonb": data,
        "bigint": 2**62 + number,
        "integer": number,
        "double precision": 0.1 + number,
        "boolean": number % 2 == 0,
        "bytea": bytes(range(256)) + bytes([number]),
        "timestamp with time zone": datetime(2026, 2, 28, tzinfo=UTC)
        + timedelta(microseconds=number),
        "tsvector": f"'word{number}':1",
        "_text": [f"read:{number}", TEXT],
        "_bytea": [bytes(range(256)), bytes([number])],
        "character varying": f"v{number}",
    }
    return values[kind]


async def fill(connection: Connection) -> None:
    """Put rows into every table, beside those that migrations made."""
    for schema, table in await (await connection.execute(TABLES)).fetchall():
        if table == "alembic_version":
            continue
        found = await connection.execute(COLUMNS, [schema, table])
        columns = dict(await found.fetchall())
        statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(schema, table),
            sql.SQL(", ").join(map(sql.Identifier, columns)),
            sql.SQL(", ").join(sql.Placeholder() * len(columns)),
        )
        for number in range(ROWS):
            row = [value(kind, number) for kind in columns.values()]
            await connection.execute(statement, row)


async def content(database: Address) -> dict[str, tuple[int, str | None]]:
    """What is in each table: its number of rows, and a hash of all of them."""
    found = {}
    async with database.connect() as connection:
        for schema, table in await (await connection.execute(TABLES)).fetchall():
            asked = sql.SQL(
                "SELECT count(*), md5(string_agg(md5(t::text), ',' ORDER BY t::text)) FROM {} t"
            ).format(sql.Identifier(schema, table))
            [row] = await (await connection.execute(asked)).fetchall()
            found[f"{schema}.{table}"] = (int(row[0]), row[1])
    return found
