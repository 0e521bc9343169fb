"""Pages of results: where they end, and a database that is away in the middle of a file."""

import asyncio
from typing import Any, cast

import pytest

from gateway.direct import Direct
from gateway.errors import Unavailable
from gateway.principal import Principal
from gateway.queries.batch_results import Wanted, begun

CALLER = Principal("demo", None, "0123456789abcdef", frozenset({"read"}), None)
WANTED = Wanted(CALLER, "batch_1", None)


class Rows:
    """Has so many documents; the calls of these numbers fail."""

    def __init__(self, count: int, away: range = range(0)) -> None:
        self.count = count
        self.calls = 0
        self._away = away

    async def walk(self, _: str, __: str, values: dict[str, Any]) -> list[tuple[int]]:
        """Returns: the documents behind the last one."""
        self.calls += 1
        if self.calls in self._away:
            raise Unavailable("away")
        after, limit = values["after"], values["limit"]
        return [(one,) for one in range(after + 1, min(self.count, after + limit) + 1)]

    async def all(self) -> list[int]:
        """Returns: what the pages hold."""
        pages = await begun(cast("Direct", self), WANTED, (0, 0))
        return [row[0] async for page in pages for row in page]


@pytest.mark.parametrize(("count", "calls"), [(0, 1), (1, 1), (199, 1), (200, 2), (401, 3)])
def test_pages_end_with_the_last_document(count: int, calls: int) -> None:
    """Each document once, and no call more than is needed to know that there are no others."""
    rows = Rows(count)
    assert asyncio.run(rows.all()) == list(range(1, count + 1))
    assert rows.calls == calls


def test_a_database_that_comes_back_costs_nothing() -> None:
    """The file goes on where it was."""
    assert len(asyncio.run(Rows(500, away=range(2, 4)).all())) == 500


@pytest.mark.parametrize("away", [range(1, 2), range(2, 9)])
def test_one_that_stays_away_is_an_error(away: range) -> None:
    """At the beginning it is one at once, as an answer; later the file breaks off."""
    with pytest.raises(Unavailable):
        asyncio.run(Rows(500, away=away).all())
