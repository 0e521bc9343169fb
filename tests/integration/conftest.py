"""Real servers, with names of this test session's own on each."""

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from streams import bootstrap, topics_admin
from streams.clients.postgres import Database
from streams.settings import Settings


def _named(url: str, database: str) -> str:
    return make_url(url).set(database=database).render_as_string(hide_password=False)


async def _create_database(url: str, name: str) -> None:
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(f'CREATE DATABASE "{name}"'))
    await engine.dispose()


def installation() -> Settings:
    """Settings of a worker, with a migrated database, topics, bucket and index of their own."""
    given = Settings()  # the servers' addresses come by environment
    name = f"test-{uuid.uuid4().hex[:12]}"
    admin = given.admin_database_url
    assert admin is not None, "run these tests with `make integration`"
    asyncio.run(_create_database(admin.get_secret_value(), name))
    own = given.model_copy(
        update={
            "topic_prefix": f"{name}-",
            "index_prefix": f"{name}-",
            "s3_bucket": name,
            "partitions": 2,
            **{
                field: type(admin)(_named(getattr(given, field).get_secret_value(), name))
                for field in ("admin_database_url", "database_url", "gateway_database_url")
            },
        }
    )
    asyncio.run(bootstrap.migrate(own))
    asyncio.run(bootstrap.prepare_stores(own))
    topics_admin.apply(own)
    return own


@pytest.fixture(scope="session")
def settings() -> Settings:
    """One installation for all tests that can share it."""
    return installation()


@pytest.fixture(scope="session")
async def database(settings: Settings) -> AsyncIterator[Database]:
    """The workers' own connection to the migrated database."""
    database = Database.connect(settings.database_url.get_secret_value(), pool=5)
    yield database
    await database.close()
