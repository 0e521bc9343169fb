"""The places that are compared, opened for reading, and reading them in pages."""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, select

from schemas.ids import Ids
from streams.clients import s3
from streams.clients.opensearch import SearchIndex
from streams.clients.postgres import Database
from streams.clients.s3 import ObjectStore
from streams.settings import Settings
from streams.verify.flow import Flow

PAGE_ROWS = 200


@dataclass(frozen=True, slots=True)
class Stores:
    """Everything that a comparison reads; what moved within `margin` is left in peace."""

    database: Database
    store: ObjectStore
    search: SearchIndex
    flow: Flow
    ids: Ids
    margin: timedelta

    async def rows(self, query: Select[Any]) -> Sequence[Row[Any]]:
        """Returns: the rows of one statement. Raises: DependencyDown: Postgres is away."""
        async with self.database.transaction() as connection:
            rows: Sequence[Row[Any]] = (await connection.execute(query)).all()
        return rows

    async def count(self, query: Select[Any]) -> int:
        """Returns: how many rows a query has. Raises: DependencyDown: Postgres is away."""
        [row] = await self.rows(select(func.count()).select_from(query.subquery()))
        return int(row[0])

    async def pages(
        self,
        query: Select[Any],
        key: ColumnElement[Any],
        *,
        only: Collection[str] | None = None,
        size: int = PAGE_ROWS,
    ) -> AsyncIterator[Sequence[Row[Any]]]:
        """Yield the rows of a query in pages, each a statement of its own.

        `key` must be unique and one of the selected columns; `only` names the rows by it.

        Raises: DependencyDown: Postgres is away.
        """
        page = query.order_by(key).limit(size)
        if only is not None:
            page = page.where(key.in_(only))
        rows = await self.rows(page)
        while rows:
            yield rows
            if len(rows) < size:
                return
            rows = await self.rows(page.where(key > rows[-1]._mapping[key]))  # noqa: SLF001 - public by SQLAlchemy's documentation


@asynccontextmanager
async def opened(settings: Settings, *, margin: timedelta) -> AsyncIterator[Stores]:
    """Yield the stores; close them in the end."""
    async with AsyncExitStack() as stack:
        database = Database.connect(settings.database_url.get_secret_value(), pool=2)
        stack.push_async_callback(database.close)
        search = SearchIndex.connect(settings)
        stack.push_async_callback(search.close)
        yield Stores(
            database=database,
            store=await stack.enter_async_context(s3.connect(settings)),
            search=search,
            flow=Flow(settings),
            ids=Ids(settings.id_secret.get_secret_value()),
            margin=margin,
        )
