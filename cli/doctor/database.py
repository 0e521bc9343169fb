"""Checks of Postgres: its tables, the two roles, the tenant."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from alembic.script import ScriptDirectory
from pydantic import SecretStr
from sqlalchemy import select, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from cli.doctor.check import Check, Wrong
from schemas.tables import GPTS, METADATA
from streams.bootstrap import MIGRATIONS
from streams.settings import Settings

_MIGRATE = "run `actionstream migrate`"


def checks(settings: Settings) -> tuple[Check, ...]:
    """Returns: the checks of the database."""
    remedy = "start Postgres, or set ACTIONSTREAM_DATABASE_URL; then run `actionstream migrate`"
    return (
        Check("postgres", lambda: _tables(settings), remedy),
        Check("postgres roles", lambda: _roles(settings), remedy),
        Check("tenant", lambda: _tenant(settings), remedy),
    )


@asynccontextmanager
async def _connected(url: SecretStr) -> AsyncIterator[AsyncConnection]:
    engine = create_async_engine(url.get_secret_value(), connect_args={"connect_timeout": 5})
    try:
        async with engine.connect() as connection:
            yield connection
    finally:
        await engine.dispose()


async def _tables(settings: Settings) -> str:
    head = ScriptDirectory(str(MIGRATIONS)).get_current_head()
    # The workers' role may not read what Alembic notes; the one that migrates may.
    async with _connected(settings.admin_database_url or settings.database_url) as connection:
        missing = await _missing_tables(connection)
        if missing:
            raise Wrong(f"tables are missing: {', '.join(missing)}", _MIGRATE)
        try:
            at = (
                await connection.execute(text("SELECT version_num FROM alembic_version"))
            ).scalar()
        except ProgrammingError:
            return f"{len(METADATA.tables)} tables; their version cannot be read by this role"
    if at != head:
        raise Wrong(f"the tables are at migration {at}, this version needs {head}", _MIGRATE)
    return f"{len(METADATA.tables)} tables at migration {at}"


async def _missing_tables(connection: AsyncConnection) -> list[str]:
    query = text("SELECT to_regclass(:name) IS NOT NULL")
    found = {
        name: (await connection.execute(query, {"name": name})).scalar() for name in METADATA.tables
    }
    return [name for name, there in found.items() if not there]


async def _roles(settings: Settings) -> str:
    async with _connected(settings.database_url) as connection:
        if lacking := await _lacking(connection, "INSERT"):
            raise Wrong(f"the workers' role cannot write {', '.join(lacking)}", _MIGRATE)
    if settings.gateway_database_url is None:
        return "the workers' role writes; the gateway's is not known here"
    async with _connected(settings.gateway_database_url) as connection:
        if lacking := await _lacking(connection, "SELECT"):
            raise Wrong(f"the gateway's role cannot read {', '.join(lacking)}", _MIGRATE)
        if len(await _lacking(connection, "INSERT")) < len(METADATA.tables):
            raise Wrong(
                "the gateway's role can write, but only workers may",
                "give ACTIONSTREAM_GATEWAY_DATABASE_URL a role of its own and migrate",
            )
    return "the workers' role writes, the gateway's only reads"


async def _lacking(connection: AsyncConnection, right: str) -> list[str]:
    query = text("SELECT has_table_privilege(:name, :right)")
    found = {
        name: (await connection.execute(query, {"name": name, "right": right})).scalar()
        for name in METADATA.tables
    }
    return [name for name, granted in found.items() if not granted]


async def _tenant(settings: Settings) -> str:
    query = select(GPTS.c.disabled_at).where(GPTS.c.gpt_id == settings.gpt_id)
    async with _connected(settings.database_url) as connection:
        row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise Wrong(f"there is no tenant {settings.gpt_id}", _MIGRATE)
    if row.disabled_at is not None:
        raise Wrong(f"the tenant {settings.gpt_id} is disabled", "enable it, or set another GPT_ID")
    return f"the tenant {settings.gpt_id} is there"
