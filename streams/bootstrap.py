"""Preparing the servers for the product: tables, roles, the first tenant, bucket, index.

Every step may be repeated; what is there stays as it is.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, make_url, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from schemas.tables import GPTS, METADATA
from streams.clients import s3
from streams.clients.opensearch import SearchIndex
from streams.settings import Settings

MIGRATIONS = Path(__file__).parent / "migrations"


@asynccontextmanager
async def _admin(settings: Settings) -> AsyncIterator[AsyncConnection]:
    url = settings.admin_database_url or settings.database_url
    engine = create_async_engine(url.get_secret_value())
    try:
        async with engine.begin() as connection:
            yield connection
    finally:
        await engine.dispose()


def config(connection: Connection) -> Config:
    """Returns: Alembic's configuration for this connection."""
    made = Config()
    made.set_main_option("script_location", str(MIGRATIONS))
    made.attributes["connection"] = connection
    return made


async def migrate(settings: Settings) -> None:
    """Bring tables and roles to this version, and enter the first tenant."""
    async with _admin(settings) as connection:
        # One migration at a time, however many processes start together.
        await connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('actionstream'))"))
        await connection.run_sync(lambda sync: command.upgrade(config(sync), "head"))
        await _roles(connection, settings)
        seed = insert(GPTS).values(gpt_id=settings.gpt_id, name=settings.gpt_id)
        await connection.execute(seed.on_conflict_do_nothing())


async def _roles(connection: AsyncConnection, settings: Settings) -> None:
    """Give the workers' role all rows, and the gateway's role reading only."""
    if settings.admin_database_url is None:
        return
    admin = make_url(settings.admin_database_url.get_secret_value()).username
    tables = ", ".join(METADATA.tables)
    for url, rights in (
        (settings.database_url, "SELECT, INSERT, UPDATE, DELETE"),
        (settings.gateway_database_url, "SELECT"),
    ):
        if url is None:
            continue
        parsed = make_url(url.get_secret_value())
        if parsed.username is None or parsed.username == admin:
            continue
        role = _quoted(parsed.username, '"')
        exists = text("SELECT 1 FROM pg_roles WHERE rolname = :name")
        found = (await connection.execute(exists, {"name": parsed.username})).one_or_none()
        verb = "CREATE" if found is None else "ALTER"
        password = _quoted(str(parsed.password or ""), "'")
        for statement in (
            f"{verb} ROLE {role} LOGIN PASSWORD {password}",
            f"GRANT USAGE ON SCHEMA public TO {role}",
            f"GRANT {rights} ON {tables} TO {role}",
        ):
            await connection.exec_driver_sql(statement.replace("%", "%%"))


def _quoted(name: str, mark: str) -> str:
    """Returns: the text quoted for SQL; roles cannot be named by parameters."""
    return mark + name.replace(mark, mark * 2).replace("\0", "") + mark


async def prepare_stores(settings: Settings) -> None:
    """Create the bucket, and the index with its alias and search pipeline."""
    async with s3.connect(settings) as store:
        await store.prepare()
    search = SearchIndex.connect(settings)
    try:
        await search.prepare(settings.embedding_model, settings.embedding_dimensions)
    finally:
        await search.close()
