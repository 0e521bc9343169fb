"""Preparing the servers for the product: tables, roles, the first tenants, bucket, index.

Every step may be repeated; what is there stays as it is.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from streams import roles, seeds
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
    """Bring tables and roles to this version, and enter the first tenants and their keys.

    Raises:
        UnusableKey: a key in the settings cannot be entered.
    """
    async with _admin(settings) as connection:
        # One migration at a time, however many processes start together.
        await connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('actionstream'))"))
        await connection.run_sync(lambda sync: command.upgrade(config(sync), "head"))
        await roles.prepare(connection, settings)
        await seeds.sow(connection, settings)


async def prepare_stores(settings: Settings) -> None:
    """Create the bucket, and the index with its alias and search pipeline."""
    async with s3.connect(settings) as store:
        await store.prepare()
    search = SearchIndex.connect(settings)
    try:
        await search.prepare(settings.embedding_model, settings.embedding_dimensions)
    finally:
        await search.close()
