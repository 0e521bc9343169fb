"""The list of collections."""

from typing import Any

import httpx2

from gateway.connection import Found
from gateway.direct import Direct
from gateway.principal import Principal
from gateway.queries import collections
from gateway.settings import GatewaySettings
from tests.integration.gateway.conftest import Rows
from tests.integration.gateway.test_gateway_objects import Shelf


async def test_a_page_of_collections_is_no_longer_than_a_gpt_takes(
    api: httpx2.AsyncClient, rows: Rows
) -> None:
    """It ends before its limit where schemas are large; each collection comes once, in order."""
    shelves = [Shelf(rows) for _ in range(5)]
    for shelf in shelves:
        shelf.pretend(json_schema={"description": "x" * 40_000})
    path = f"/v1/gpts/{rows.gpt_id}/collections"
    cursor: dict[str, str] = {}
    names: list[str] = []
    sizes: list[int] = []
    while True:
        answer = await api.get(path, params={"limit": 200, **cursor})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        names += [one["name"] for one in page["items"]]
        sizes.append(len(answer.text))
        if not page["has_more"]:
            break
        assert page["items"]
        cursor = {"cursor": page["next_cursor"]}
    assert names == sorted(names)
    assert {shelf.name for shelf in shelves} <= set(names)
    assert len(set(names)) == len(names)
    assert len(sizes) >= 3
    assert max(sizes) < 100_000


async def test_a_collection_larger_than_a_page_is_a_page(
    api: httpx2.AsyncClient, rows: Rows
) -> None:
    """It is not left out, and the next one comes behind it."""
    large, next_one = sorted((Shelf(rows) for _ in range(2)), key=lambda shelf: shelf.name)
    large.pretend(json_schema={"description": "x" * 200_000})
    path = f"/v1/gpts/{rows.gpt_id}/collections"
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while next_one.name not in seen:
        page = (await api.get(path, params={"limit": 200, **cursor})).json()
        seen += [one["name"] for one in page["items"]]
        if page["has_more"]:
            cursor = {"cursor": page["next_cursor"]}
    assert seen.index(large.name) < seen.index(next_one.name)


class Counting(Direct):
    """It counts the rows that the lists looked through have come to."""

    looked_at = 0

    async def walk(self, *given: Any) -> Found:
        found = await super().walk(*given)
        self.looked_at += len(found)
        return found


async def test_of_collections_that_do_not_fit_one_is_read(
    rows: Rows, gateway_settings: GatewaySettings
) -> None:
    """Among as many as lists take: however much the rest is, nobody builds what nobody gets."""
    shelves = sorted((Shelf(rows) for _ in range(6)), key=lambda shelf: shelf.name)
    for shelf in shelves:
        shelf.pretend(json_schema={"description": "x" * 40_000})
    direct = Counting(gateway_settings)
    caller = Principal(rows.gpt_id, None, "key", frozenset({"read"}), None)
    shown, has_more = await collections.page(direct, caller, 200, shelves[0].name)
    assert has_more
    assert len(shown) >= 1
    assert direct.looked_at == len(shown) + 1

    ordinary, has_more = await collections.page(direct, caller, 1, shelves[0].name)
    assert ordinary == shown[:1]
    assert has_more
    assert direct.looked_at == len(shown) + 3
    await direct.close()
