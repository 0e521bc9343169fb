"""Pages of objects: what is cut, and what changes while the large ones are read."""

from typing import Any, cast

from gateway.direct import Direct
from gateway.principal import Principal
from gateway.queries import object_pages
from gateway.queries.object_pages import Wanted

CALLER = Principal("gpt", None, "key", frozenset({"read"}), None)


class Scripted:
    """Answers the page's statement with `rows`, and the one for large bodies with `large`."""

    def __init__(self, rows: list[Any], large: list[Any]) -> None:
        self.rows_of_page, self.large = rows, large
        self.asked: list[Any] = []

    async def walk(self, _tenant: str, _sql: str, _given: Any) -> list[Any]:
        """Returns: the page's rows."""
        return self.rows_of_page

    async def rows(self, _tenant: str, _sql: str, given: Any) -> list[Any]:
        """Returns: the large ones that are still there."""
        self.asked.append(given)
        return self.large


async def _page(scripted: Scripted, **wanted: Any) -> object_pages.Page:
    direct = cast("Direct", scripted)
    page = await object_pages.page(direct, CALLER, Wanted("diary", **{"limit": 3, **wanted}))
    assert page is not None
    return page


async def test_a_large_object_that_is_deleted_meanwhile_is_left_out() -> None:
    """The page goes on behind it all the same; one that was changed is as it is now."""
    rows = [("t1", "a", "A", "1", 1), ("t2", "b", "B", None, 9), ("t3", "c", "C", None, 9)]
    scripted = Scripted([*rows, ("t4", "d", "D", "4", 1)], [("b", "B2", "22")])
    page = await _page(scripted)
    assert page.items == [("t1", "a", "A", "1"), ("t2", "b", "B2", "22")]
    assert page.following == ("t3", "c")
    assert scripted.asked == [("gpt", ["b", "c"])]


async def test_only_the_large_ones_that_fit_are_read() -> None:
    """The page ends before the first that is too much, and the next page begins with it."""
    rows = [("t1", "a", "A", "1", 1), ("t2", "b", "B", None, 50), ("t3", "c", "C", None, 60)]
    scripted = Scripted(rows, [("b", "B", "22")])
    page = await _page(scripted, budget=100)
    assert [item[1] for item in page.items] == ["a", "b"]
    assert page.following == ("t2", "b")
    assert scripted.asked == [("gpt", ["b"])]


async def test_a_page_of_small_ones_asks_once() -> None:
    """And the last page has nothing behind it."""
    scripted = Scripted([("t1", "a", "A", "1", 1)], [])
    page = await _page(scripted)
    assert (page.items, page.following, scripted.asked) == ([("t1", "a", "A", "1")], None, [])
