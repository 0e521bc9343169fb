"""Reads from Postgres that come so often that SQLAlchemy's share of their time would be felt.

Plain SQL through psycopg, prepared by each connection, under the tenant for whom it is.
"""

from typing import Any, Final, LiteralString

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import make_url

from gateway.connection import Connection, Found, Parameters
from gateway.database import AWAY, POOL_WAIT_S, SET_TENANT, connection_options
from gateway.errors import TookTooLong, Unavailable
from gateway.settings import GatewaySettings
from gateway.slots import Slots

_GRACE_S: Final = 2.0
"""Above the statement's own limit, which only a server that lives can keep."""
_GONE: Final = (psycopg.OperationalError, psycopg.InterfaceError, OSError, TimeoutError)


class Direct:
    """A pool of connections that can only read; each is opened when it is first needed."""

    def __init__(self, settings: GatewaySettings) -> None:
        url = make_url(settings.gateway_database_url.get_secret_value())
        self._url = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._options = connection_options(settings)
        self._longest = settings.statement_timeout.total_seconds() + _GRACE_S
        self._free = Slots(settings.gateway_database_pool)
        self._walks = Slots(max(1, settings.gateway_database_pool // 2))
        self._idle: list[Connection] = []

    async def rows(self, tenant: str, sql: LiteralString, parameters: Parameters = ()) -> Found:
        """Returns: all rows of a statement, as tuples.

        Args:
            tenant: whose rows alone the statement can see; `EVERYONE` for those of all.
            sql: with `%s` or `%(name)s` in the place of each value, so that it is prepared once.
            parameters: the values, by place or by name.

        Raises:
            TookTooLong: Postgres worked on it for as long as it may.
            Unavailable: Postgres is away or overloaded.
        """
        try:
            return await self._read(tenant, sql, parameters)
        except psycopg.errors.QueryCanceled as error:
            raise TookTooLong(AWAY) from error
        except TimeoutError as error:
            raise Unavailable(AWAY) from error
        except _GONE:
            # The pool held connections of a server that has since restarted.
            await self.close()
        try:
            return await self._read(tenant, sql, parameters)
        except _GONE as error:
            raise Unavailable(AWAY) from error

    async def walk(self, tenant: str, sql: LiteralString, parameters: Parameters = ()) -> Found:
        """Returns: all rows of a statement that may look at many; raises as `rows` does.

        Half of the connections do such work at most, so that keys and single objects are read
        whatever anybody looks for.
        """
        try:
            await self._walks.take(POOL_WAIT_S)
        except TimeoutError as error:
            raise Unavailable("too many lists are looked through; try again") from error
        try:
            return await self.rows(tenant, sql, parameters)
        finally:
            self._walks.give_back()

    async def row(
        self, tenant: str, sql: LiteralString, parameters: Parameters = ()
    ) -> tuple[Any, ...] | None:
        """Returns: the first row of a statement, if there is one; raises as `rows` does."""
        found = await self.rows(tenant, sql, parameters)
        return found[0] if found else None

    async def close(self) -> None:
        """Close the connections that nobody uses."""
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.close()

    async def _read(self, tenant: str, sql: LiteralString, parameters: Parameters) -> Found:
        await self._free.take(POOL_WAIT_S)
        connection = None
        try:
            connection = self._taken(tenant) or await self._opened()
            if connection.tenant != tenant:
                connection.tenant = None
                await connection.rows(SET_TENANT, (tenant,))
                connection.tenant = tenant
            return await connection.rows(sql, parameters)
        finally:
            self._free.give_back()
            if connection is not None:
                await self._give_back(connection)

    def _taken(self, tenant: str) -> Connection | None:
        """Returns: an idle connection, of the same tenant if there is one, the last used first."""
        for place in reversed(range(len(self._idle))):
            if self._idle[place].tenant == tenant:
                return self._idle.pop(place)
        return self._idle.pop() if self._idle else None

    async def _opened(self) -> Connection:
        connection = await Connection.connect(
            self._url, autocommit=True, prepare_threshold=1, **self._options
        )
        connection.longest_s = self._longest
        return connection

    async def _give_back(self, connection: Connection) -> None:
        if connection.pgconn.transaction_status == TransactionStatus.IDLE:
            self._idle.append(connection)
        else:
            await connection.close()
