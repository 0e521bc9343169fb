"""Preparing the servers may be repeated, and leaves the roles with the rights they are to have."""

import asyncio

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from schemas.tables import METADATA
from streams import bootstrap, topics_admin
from streams.errors import DependencyDown
from streams.settings import Settings


async def test_preparing_twice_changes_nothing(settings: Settings) -> None:
    """What is there stays as it is."""
    await bootstrap.migrate(settings)
    await bootstrap.prepare_stores(settings)

    assert topics_admin.apply(settings) == []


async def test_two_databases_of_one_server_are_prepared_at_once(settings: Settings) -> None:
    """Roles are the server's: where another database's migration changes one, this one waits."""
    assert settings.admin_database_url is not None
    url = make_url(settings.admin_database_url.get_secret_value())
    worker = make_url(settings.database_url.get_secret_value())
    engine = create_async_engine(url.set(database="postgres"))
    waiting = text(
        "SELECT 1 FROM pg_stat_activity WHERE datname = :name AND wait_event_type = 'Lock' "
        "AND query LIKE 'ALTER ROLE%'"
    )
    async with engine.connect() as other, engine.connect() as looking:
        await other.exec_driver_sql(
            f"ALTER ROLE \"{worker.username}\" LOGIN PASSWORD '{worker.password}'"
        )
        migration = asyncio.create_task(bootstrap.migrate(settings))
        while not (await looking.execute(waiting, {"name": url.database})).all():
            assert not migration.done()
            await looking.rollback()
            await asyncio.sleep(0.02)
        await other.commit()
        await migration
    await engine.dispose()

    await bootstrap.migrate(settings)


async def test_the_migrations_make_the_tables_of_the_catalogue(settings: Settings) -> None:
    """There is no difference between the migrated database and `schemas/tables`."""
    assert settings.admin_database_url is not None
    engine = create_async_engine(settings.admin_database_url.get_secret_value())

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, METADATA))

    async with engine.connect() as connection:
        found = await connection.run_sync(differences)
    await engine.dispose()

    assert found == []


async def test_a_worker_waits_for_its_topics(settings: Settings) -> None:
    """With all of them the check passes; what is missing is named, with what would help."""
    topics_admin.check(settings)

    other = settings.model_copy(update={"topic_prefix": "nowhere-"})
    with pytest.raises(DependencyDown, match="missing; run `actionstream topics apply`"):
        topics_admin.check(other)


async def test_a_worker_waits_for_the_brokers(settings: Settings) -> None:
    """A cluster that does not answer is waited for, as every other server is."""
    with pytest.raises(DependencyDown, match="do not answer"):
        topics_admin.check(settings.model_copy(update={"kafka_bootstrap": "127.0.0.1:1"}))


async def test_missing_topics_are_reported(settings: Settings) -> None:
    """Drift names each topic that the cluster does not have."""
    other = settings.model_copy(update={"topic_prefix": "nowhere-"})

    drift = topics_admin.drift(other)

    assert {each.what for each in drift} == {"missing"}
    assert "nowhere-process-document" in {each.topic for each in drift}
