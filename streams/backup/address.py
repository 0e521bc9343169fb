"""Where the database is, for this process and for the programs that it starts.

A password is handed to a program in its environment: a command line can be read by everyone.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, LiteralString

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from sqlalchemy import URL, make_url

from streams.backup.errors import BackupFailed
from streams.backup.settings import BackupSettings

# The connection that holds a snapshot is silent for as long as the dump takes.
_CONNECTION: Final = {
    "application_name": "backup",
    "connect_timeout": 10,
    "keepalives_idle": 30,
}
_ENDLESS: Final = (
    "statement_timeout",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "transaction_timeout",
)

Connection = psycopg.AsyncConnection[Any]


@dataclass(frozen=True)
class Address:
    """A database, as the role that owns its tables reaches it."""

    url: URL

    @property
    def database(self) -> str:
        """Returns: its name."""
        return str(self._parameters()["dbname"])

    def of(self, database: str) -> "Address":
        """Returns: another database of the same server, as the same role."""
        return Address(self.url.set(database=database))

    def conninfo(self) -> str:
        """Returns: libpq's connection string, without any password."""
        given = self._parameters()
        shown = {name: value for name, value in given.items() if "password" not in name}
        return make_conninfo("", **{**_CONNECTION, **shown})

    def secrets(self) -> dict[str, str]:
        """Returns: the variables that hand the password to a program of Postgres."""
        password = self._parameters().get("password")
        return {} if password is None else {"PGPASSWORD": str(password)}

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Connection]:
        """Yield a connection on which every statement is committed by itself.

        It sees all rows or fails: a policy that hid some would make counts that are too small.

        Raises: BackupFailed: Postgres is away, refuses, or refused a statement.
        """
        try:
            async with await psycopg.AsyncConnection.connect(
                self.conninfo(), password=self._parameters().get("password"), autocommit=True
            ) as connection:
                # A dump takes as long as it takes, whatever the server's own limits are.
                await connection.execute(
                    "SELECT set_config(name, '0', false) FROM pg_settings WHERE name = ANY(%s)",
                    [list(_ENDLESS)],
                )
                await connection.execute("SET row_security = off")
                yield connection
        except psycopg.Error as error:
            raise BackupFailed(f"Postgres: {_first_line(error)}") from error

    def _parameters(self) -> dict[str, Any]:
        _, given = self.url.get_dialect()().create_connect_args(self.url)
        return {"dbname": given.get("user"), **given}


def of(settings: BackupSettings) -> Address:
    """Returns: the live database, as the role that owns its tables.

    Raises: BackupFailed: no address is set.
    """
    url = settings.admin_database_url or settings.database_url
    if url is None:
        raise BackupFailed(
            "set ACTIONSTREAM_ADMIN_DATABASE_URL to the Postgres URL of the role that owns the "
            "tables"
        )
    return Address(make_url(url.get_secret_value()))


def named(statement: LiteralString, *name: str) -> sql.Composed:
    """Returns: a statement whose `{}` is the quoted identifier of these parts."""
    return sql.SQL(statement).format(sql.Identifier(*name))


def _first_line(error: psycopg.Error) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
