"""The second wall between tenants: what the roles of gateways and workers see, and may do."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Connection,
    DateTime,
    Float,
    Integer,
    LargeBinary,
    Table,
    create_engine,
    func,
    insert,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR
from sqlalchemy.exc import ProgrammingError

from schemas.tables import METADATA
from schemas.tables.edge import EDGE
from streams import bootstrap, roles
from streams.settings import Settings

TENANTS = ("wall-a", "wall-b")
GUARDED = sorted(roles.of_tenants())
SEEN = [*GUARDED, "tenant_objects"]


def _value(kind: Any, tenant: str) -> Any:
    """Returns: something that fits a column; texts name the tenant, so that keys differ."""
    if isinstance(kind, ARRAY):
        return [_value(kind.item_type, tenant)]
    for types, value in (
        ((Boolean,), False),
        ((Integer, BigInteger, Float), TENANTS.index(tenant) + 1),
        ((LargeBinary,), b"x"),
        ((JSONB,), {}),
        ((DateTime,), func.now()),
        ((TSVECTOR,), func.to_tsvector("simple", tenant)),
    ):
        if isinstance(kind, types):
            return value
    return tenant


def _row(table: Table, tenant: str) -> dict[str, Any]:
    needed = (one for one in table.columns if not one.nullable and one.server_default is None)
    return {one.name: _value(one.type, tenant) for one in needed} | {"gpt_id": tenant}


@pytest.fixture(scope="module")
def workers(settings: Settings) -> Iterator[Connection]:
    """A connection of the workers' role, which has written a row of each of two tenants."""
    engine = create_engine(settings.database_url.get_secret_value(), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for name in GUARDED:
            for tenant in TENANTS:
                table = METADATA.tables[name]
                connection.execute(insert(table).values(_row(table, tenant)))
        yield connection
    engine.dispose()


@pytest.fixture
def gateway(settings: Settings, workers: Connection) -> Iterator[Connection]:
    """A connection of the gateway's role that is set to no tenant yet."""
    del workers
    assert settings.gateway_database_url is not None
    engine = create_engine(
        settings.gateway_database_url.get_secret_value(), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def _tenants_in(connection: Connection, name: str) -> set[str]:
    found = connection.execute(text(f"SELECT gpt_id FROM {name}"))  # noqa: S608 - our own name
    return {row for row in found.scalars() if row in TENANTS}


def test_every_table_of_tenants_is_guarded(workers: Connection) -> None:
    """A table that comes later and names its tenant cannot be forgotten; none is left open."""
    guarded = workers.execute(text("SELECT relname FROM pg_class WHERE relrowsecurity"))
    assert set(guarded.scalars()) >= set(GUARDED)
    unguarded = set(METADATA.tables) - set(GUARDED)
    assert unguarded == {"workers", "rebuilds"}


@pytest.mark.parametrize("name", SEEN)
def test_a_query_that_forgets_its_tenant_returns_nothing(gateway: Connection, name: str) -> None:
    """Without the setting no row is seen, nor with an empty one."""
    assert gateway.execute(text(f"SELECT count(*) FROM {name}")).scalar() == 0  # noqa: S608
    gateway.execute(text("SELECT set_config('actionstream.gpt_id', '', false)"))
    assert gateway.execute(text(f"SELECT count(*) FROM {name}")).scalar() == 0  # noqa: S608


@pytest.mark.parametrize("name", SEEN)
def test_a_query_without_a_condition_sees_one_tenant(gateway: Connection, name: str) -> None:
    """Where the connection is set to a tenant, the rows of others are not there; `*` sees all."""
    for tenant, seen in (("wall-a", {"wall-a"}), ("wall-b", {"wall-b"}), ("*", set(TENANTS))):
        gateway.execute(text("SELECT set_config('actionstream.gpt_id', :t, false)"), {"t": tenant})
        assert _tenants_in(gateway, name) == seen


@pytest.mark.parametrize("name", ["steps", "dead_letters"])
def test_what_belongs_to_no_tenant_is_seen_by_none(
    gateway: Connection, workers: Connection, name: str
) -> None:
    """Letters and steps whose tenant is not known are only in the view of all."""
    table = METADATA.tables[name]
    nobodys = {"steps": "-", "dead_letters": None}[name]
    row = _row(table, "wall-b") | {"gpt_id": nobodys}
    keys = {"dead_letter_id": "nobodys", "topic": "nobodys", "run_id": "nobodys"}
    row |= {column: value for column, value in keys.items() if column in table.c}
    workers.execute(insert(table).values(row))
    query = select(func.count()).select_from(table).where(table.c.run_id == "nobodys")
    if name == "dead_letters":
        query = select(func.count()).where(table.c.dead_letter_id == "nobodys")
    for tenant, count in (("wall-a", 0), ("-", 1 if name == "steps" else 0), ("*", 1)):
        gateway.execute(text("SELECT set_config('actionstream.gpt_id', :t, false)"), {"t": tenant})
        assert gateway.execute(query).scalar() == count, tenant


@pytest.mark.parametrize("name", [*sorted(METADATA.tables), "tenant_objects"])
def test_the_gateway_writes_nothing_of_the_workers(gateway: Connection, name: str) -> None:
    """Neither row nor table: every statement that changes something is refused."""
    gateway.execute(text("SELECT set_config('actionstream.gpt_id', '*', false)"))
    column = METADATA.tables["objects" if name == "tenant_objects" else name].columns[0].name
    for statement in (
        f"DELETE FROM {name}",  # noqa: S608 - our own names
        f"UPDATE {name} SET {column} = {column}",  # noqa: S608
        f"INSERT INTO {name} ({column}) VALUES (NULL)",  # noqa: S608
        f"TRUNCATE {name}",
        f"ALTER TABLE {name} ADD COLUMN more text",
        f"DROP TABLE {name}" if name in METADATA.tables else f"DROP VIEW {name}",
    ):
        with pytest.raises(ProgrammingError, match=r"permission denied|must be owner|is not a"):
            gateway.execute(text(statement))


def test_the_gateway_makes_no_tables(gateway: Connection) -> None:
    """Not in the workers' schema, nor in its own."""
    for schema in ("public", EDGE.schema):
        with pytest.raises(ProgrammingError, match="permission denied"):
            gateway.execute(text(f"CREATE TABLE {schema}.more (x text)"))


def test_the_gateway_writes_its_own_schema(gateway: Connection) -> None:
    """Buckets and uses of keys are its own."""
    for table in EDGE.sorted_tables:
        row = {one.name: _value(one.type, "wall-a") for one in table.columns}
        gateway.execute(insert(table).values(row))
        key = table.columns[0]
        gateway.execute(table.delete().where(key == "wall-a"))
        assert gateway.execute(select(table).where(key == "wall-a")).one_or_none() is None


@pytest.mark.parametrize("name", GUARDED)
def test_the_workers_see_all(workers: Connection, name: str) -> None:
    """Their role is set to no tenant, and works for all of them."""
    assert _tenants_in(workers, name) == set(TENANTS)


async def test_policies_are_made_once(settings: Settings, workers: Connection) -> None:
    """Migrating again touches none, since that would lock the tables of a running product."""
    policies = text("SELECT oid FROM pg_policy ORDER BY oid")
    before = workers.execute(policies).scalars().all()
    await bootstrap.migrate(settings)
    assert workers.execute(policies).scalars().all() == before


async def test_a_changed_policy_reaches_a_database_that_has_the_old_one(
    settings: Settings, gateway: Connection, workers: Connection
) -> None:
    """Migrating makes it what this version says, and touches no other one."""
    assert settings.admin_database_url is not None
    owner = create_engine(settings.admin_database_url.get_secret_value())
    role = gateway.engine.url.username
    policies = text("SELECT oid FROM pg_policy WHERE polrelid <> 'chunks'::regclass ORDER BY oid")
    before = workers.execute(policies).scalars().all()
    with owner.begin() as connection:
        connection.execute(text(f'ALTER POLICY "{role}" ON chunks USING (true)'))
    owner.dispose()
    gateway.execute(text("SELECT set_config('actionstream.gpt_id', 'wall-a', false)"))
    assert _tenants_in(gateway, "chunks") == set(TENANTS)

    await bootstrap.migrate(settings)

    assert _tenants_in(gateway, "chunks") == {"wall-a"}
    assert workers.execute(policies).scalars().all() == before
