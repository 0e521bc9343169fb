"""Running statements that take one array a column, and so any number of rows at once."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from streams.clients import postgres

Row = tuple[Any, ...]


async def fetch(connection: AsyncConnection, statement: str, parameters: Any) -> list[Row]:  # noqa: ANN401 - as the driver takes them
    """Returns: the rows of a statement that is written for the driver, as plain tuples."""
    return await postgres.execute(connection, statement, parameters)


async def write(connection: AsyncConnection, statement: str, rows: Sequence[Row]) -> None:
    """Run a statement for these rows, if there are any."""
    if rows:
        await postgres.execute(connection, statement, columns(rows))


def columns(rows: Sequence[Row], width: int = 0) -> tuple[list[Any], ...]:
    """Returns: the rows' columns, each as a list; without rows, so many empty ones."""
    return tuple(map(list, zip(*rows, strict=True))) or tuple([] for _ in range(width))
