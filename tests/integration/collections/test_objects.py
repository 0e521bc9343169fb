"""Objects as they are written to a real Postgres, in batches, each with its own outcome."""

from tests.integration.collections.conftest import Tenant


async def test_first(tenant: Tenant) -> None:
    """Create, put, merge, delete."""
    made = await tenant.create({"a": 10**40, "é": "😀", "f": 1e300, "g": 1e-7})
    assert made["version"] == 1
    merged = await tenant.merge(made["id"], {"a": None, "b": 1})
    assert merged["object"]["version"] == 2
    put = await tenant.put("k", {"x": 1})
    assert put["status"] == 201
    put = await tenant.put("k", {"x": 1})
    assert put["change"] == "unchanged"
    put = await tenant.put("k", {"x": 1.0})
    assert put["change"] == "updated"
    assert (await tenant.delete(made["id"]))["status"] == 204
    assert await tenant.versions(made["id"]) == [1, 2]
