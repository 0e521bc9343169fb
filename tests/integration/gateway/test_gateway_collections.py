"""The list of collections."""

import httpx2

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
