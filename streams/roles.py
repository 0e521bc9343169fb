"""What the database roles of workers and gateways may do, and which rows they see.

Row-level security is the second wall between tenants: it shows the gateway's role the rows of the
tenant that its connection is set to (`actionstream.gpt_id`; `*` for all), and none before that.
Where one role does everything, it owns the tables, and Postgres exempts a table's owner.
"""

from typing import Final

import structlog
from pydantic import SecretStr
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.tables import METADATA
from schemas.tables.edge import EDGE
from streams.settings import Settings

_TENANT: Final = "current_setting('actionstream.gpt_id', true)"
_OF_TENANT: Final = f"gpt_id = {_TENANT} OR {_TENANT} = '*'"
_VIEWS: Final = ("tenant_objects",)
"""Made by the migrations with the same condition."""

_PATTERN: Final = "policy_pattern"
_ALIKE: Final = text(
    f"""
    SELECT p.tablename FROM pg_policies p
    JOIN pg_policies w ON w.policyname = p.policyname AND w.tablename = '{_PATTERN}'
    WHERE p.policyname = :role AND p.schemaname = 'public' AND p.permissive = w.permissive
        AND (p.cmd, p.roles, p.qual, p.with_check)
            IS NOT DISTINCT FROM (w.cmd, w.roles, w.qual, w.with_check)
    """  # noqa: S608 - our own name
)

_ALL: Final = "SELECT, INSERT, UPDATE, DELETE"
_TRIES: Final = 20
_AT_ONCE: Final = frozenset({"XX000", "23505", "42710"})
"""What a role's statement ends with where another transaction changed or made the role meanwhile:
"tuple concurrently updated" has no code of its own."""

log = structlog.get_logger()


def of_tenants() -> list[str]:
    """Returns: the names of the tables whose rows name their tenant, and so are guarded."""
    return [table.name for table in METADATA.sorted_tables if "gpt_id" in table.c]


async def prepare(connection: AsyncConnection, settings: Settings) -> None:
    """Make the roles of the settings, where they are others than the one that migrates."""
    tables = list(METADATA.tables)
    worker = await _made(connection, settings, settings.database_url)
    if worker is not None:
        await _grant(connection, worker, _ALL, tables)
        await _show(connection, worker, "FOR ALL TO {role} USING (true) WITH CHECK (true)")
    gateway = await _made(connection, settings, settings.gateway_database_url)
    if gateway is not None:
        await _grant(connection, gateway, "SELECT", [*tables, *_VIEWS])
        await _run(connection, f"GRANT USAGE ON SCHEMA {EDGE.schema} TO {_name(gateway)}")
        await _grant(connection, gateway, _ALL, list(EDGE.tables))
        await _show(connection, gateway, f"FOR SELECT TO {{role}} USING ({_OF_TENANT})")


async def _made(
    connection: AsyncConnection, settings: Settings, url: SecretStr | None
) -> str | None:
    """Returns: the role of a URL, made or with its password set; none where it is who migrates."""
    if settings.admin_database_url is None or url is None:
        return None
    parsed = make_url(url.get_secret_value())
    admin = make_url(settings.admin_database_url.get_secret_value()).username
    if parsed.username is None or parsed.username == admin:
        return None
    await _enter(connection, parsed.username, str(parsed.password or ""))
    await _run(connection, f"GRANT USAGE ON SCHEMA public TO {_name(parsed.username)}")
    return parsed.username


async def _enter(connection: AsyncConnection, role: str, password: str) -> None:
    """Make a role, or set its password.

    Roles are the whole server's, and no lock that a migration can take is: where another database
    of the server is migrated at the same time, this waits for that one's end and is tried again.
    """
    exists = text("SELECT 1 FROM pg_roles WHERE rolname = :name")
    quoted = _quoted(password, "'")
    what = f"ROLE {_name(role)} LOGIN PASSWORD {quoted}"
    for left in reversed(range(_TRIES)):
        found = (await connection.execute(exists, {"name": role})).one_or_none()
        try:
            async with connection.begin_nested():
                await _run(connection, f"{'CREATE' if found is None else 'ALTER'} {what}")
        except DBAPIError as error:
            if not left or getattr(error.orig, "sqlstate", None) not in _AT_ONCE:
                raise
            log.info("another migration changed the role", role=role)
        else:
            return


async def _grant(connection: AsyncConnection, role: str, rights: str, tables: list[str]) -> None:
    await _run(connection, f"GRANT {rights} ON {', '.join(tables)} TO {_name(role)}")


async def _show(connection: AsyncConnection, role: str, policy: str) -> None:
    """Guard tenants' rows, by a policy named after its role, where a table has not this one yet.

    It is not made again each time: that would lock the tables against all who use them.
    """
    name, made = _name(role), policy.format(role=_name(role))
    # Postgres writes conditions in a way of its own: what can be compared is another policy.
    await _run(connection, f"CREATE TEMPORARY TABLE {_PATTERN} (gpt_id text)")
    await _run(connection, f"CREATE POLICY {name} ON {_PATTERN} {made}")
    there = await connection.execute(_ALIKE, {"role": role})
    for table in sorted(set(of_tenants()) - set(there.scalars())):
        await _run(connection, f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        await _run(connection, f"DROP POLICY IF EXISTS {name} ON {table}")
        await _run(connection, f"CREATE POLICY {name} ON {table} {made}")
    await _run(connection, f"DROP TABLE {_PATTERN}")


async def _run(connection: AsyncConnection, statement: str) -> None:
    await connection.exec_driver_sql(statement.replace("%", "%%"))


def _name(role: str) -> str:
    return _quoted(role, '"')


def _quoted(name: str, mark: str) -> str:
    """Returns: the text quoted for SQL; roles cannot be named by parameters."""
    return mark + name.replace(mark, mark * 2).replace("\0", "") + mark
