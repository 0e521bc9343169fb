"""Rows asked for at the same time: one statement, each its own answer."""

import asyncio
from typing import Any

import pytest

from gateway.gathering import Gathering


class Table:
    """Answers with the rows that it has, and keeps what it was asked."""

    def __init__(self, rows: dict[tuple[str, str | None], int]) -> None:
        self.rows = rows
        self.asked: list[tuple[str, list[str]]] = []
        self.error: Exception | None = None
        self.reached = asyncio.Event()

    async def __call__(self, tenant: str, sql: str, values: tuple[Any, ...]) -> list[Any]:
        ids, subjects, of = values
        assert (sql, of) == ("sql", tenant)
        self.asked.append((tenant, ids))
        self.reached.set()
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        keys = zip(ids, subjects, strict=True)
        return [(*key, self.rows[key]) for key in keys if key in self.rows]


async def test_what_is_asked_together_is_read_together() -> None:
    """One statement a tenant; each gets the row of its own key, or none."""
    table = Table({("a", None): 1, ("b", "anna"): 2})
    gathering = Gathering(table, "sql")
    keys = [("a", None), ("b", "anna"), ("b", None), ("c", None), ("a", None)]
    asks = [gathering.row("demo", key) for key in keys]
    other = gathering.row("other", ("a", None))
    assert await asyncio.gather(*asks, other) == [(1,), (2,), None, None, (1,), (1,)]
    assert table.asked == [("demo", ["a", "b", "b", "c", "a"]), ("other", ["a"])]


async def test_who_asks_later_reads_later() -> None:
    """A statement that is on its way answers nobody who asks after it."""
    table = Table({})
    gathering = Gathering(table, "sql")
    first = asyncio.create_task(gathering.row("demo", ("a", None)))
    await table.reached.wait()
    table.rows[("a", None)] = 1
    assert await gathering.row("demo", ("a", None)) == (1,)
    assert len(table.asked) == 2
    await first


async def test_one_statement_reads_fifty_at_most() -> None:
    """Their results are in memory together."""
    table = Table({})
    gathering = Gathering(table, "sql")
    await asyncio.gather(*(gathering.row("demo", (str(n), None)) for n in range(120)))
    assert [len(ids) for _, ids in table.asked] == [50, 50, 20]


async def test_an_error_is_everyones_who_asked() -> None:
    """Who has gone away meanwhile takes nothing from the others, and nothing is left behind."""
    table = Table({("a", None): 1})
    table.error = ConnectionError("away")
    gathering = Gathering(table, "sql")
    gone, there = (asyncio.create_task(gathering.row("demo", ("a", None))) for _ in range(2))
    await table.reached.wait()
    gone.cancel()
    with pytest.raises(ConnectionError):
        await there
    assert gone.cancelled()

    table.error = None
    assert await gathering.row("demo", ("a", None)) == (1,)
