"""Objects of several tenants and end users, their quotas, and writers of one object."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, text, update

from schemas.tables import GPTS, OBJECTS
from schemas.writes import (
    CreateObject,
    DeleteObject,
    MergeObject,
    ObjectOperation,
    PatchObject,
    PutObject,
    RestoreObject,
    WriteBatch,
)
from streams.clients.postgres import Database
from tests.integration.collections.conftest import Tenant, new_tenant


async def test_quotas_are_exact(tenant: Tenant) -> None:
    """The last object fits and the next one does not; what shrinks is never refused."""
    await tenant.define(max_objects=3, max_bytes=60)
    verdicts = await tenant.write(*(CreateObject(body={"n": number}) for number in range(4)))
    assert [each.problem.code if each.problem else None for each in verdicts] == [
        None,
        None,
        None,
        "quota_exceeded",
    ]
    last = verdicts[-1].problem
    assert last is not None
    assert "holds 3 objects" in last.detail
    first = (verdicts[0].result or {})["object"]["id"]
    grown = MergeObject(object_id=first, patch={"n": "x" * 40})
    assert await tenant.refused(grown) == (403, "quota_exceeded")
    await tenant.define(max_bytes=5)
    assert (await tenant.merge(first, {"n": None}))["change"] == "updated"
    await tenant.delete(first)


async def test_the_limits_of_a_gpt_hold_for_all_its_collections(database: Database) -> None:
    """Its own where it has some, and the installation's for the number of collections."""
    tenant = await new_tenant(database, max_objects=2, max_bytes=1000)
    await tenant.define("one")
    await tenant.define("two")
    await tenant.one(CreateObject(body={}), "one")
    await tenant.one(CreateObject(body={}), "two")
    assert await tenant.refused(CreateObject(body={}), "one") == (403, "quota_exceeded")
    for number in range(8):
        await tenant.define(f"more-{number}")
    assert await tenant.refused_definition("over") == (403, "too_many_collections")
    await tenant.check_counts()


async def test_an_end_user_has_objects_of_its_own(tenant: Tenant) -> None:
    """Keys are each end user's own, and no other end user's object is there."""
    ann, bob = replace(tenant, subject="ann"), replace(tenant, subject="bob")
    hers = (await ann.put("k", {"of": "ann"}))["object"]
    his = (await bob.put("k", {"of": "bob"}))["object"]
    assert hers["id"] != his["id"]
    assert await bob.refused(DeleteObject(object_id=hers["id"])) == (404, "not_found")
    assert await bob.refused(MergeObject(object_id=hers["id"], patch={})) == (404, "not_found")
    assert (await tenant.merge(hers["id"], {"seen": True}))["object"]["version"] == 2
    assert await ann.refused_definition("mine") == (403, "forbidden")


BY_KEY = (
    DeleteObject(key="k"),
    MergeObject(key="k", patch={"of": "nobody"}),
    PatchObject(key="k", patch=({"op": "remove", "path": "/of"},)),
    RestoreObject(key="k", version=1),
    PutObject(key="k", body={}, if_exists=True),
)


@pytest.mark.parametrize("operation", BY_KEY, ids=lambda one: one.op)
async def test_without_an_end_user_a_key_never_means_an_end_users_object(
    tenant: Tenant, operation: ObjectOperation
) -> None:
    """It finds nothing, alone and in a batch, until there is one that belongs to no end user."""
    for subject in ("bob", "ann"):
        await replace(tenant, subject=subject).put("k", {"of": subject})
    missing = 412 if isinstance(operation, PutObject) else 404
    assert (await tenant.refused(operation))[0] == missing
    await tenant.create({"of": None}, key="k")
    assert (await tenant.one(operation))["object"]["key"] == "k"
    versions = {row.subject: row.version for row in await tenant.rows(OBJECTS)}
    assert (versions["ann"], versions["bob"]) == (1, 1)


async def test_a_batch_that_deletes_one_key_again_and_again_deletes_one_object(
    tenant: Tenant,
) -> None:
    """It does not go on to those of the end users, who each keep theirs under that key."""
    for subject in ("bob", "ann", None):
        await replace(tenant, subject=subject).put("k", {"of": subject})
    result = await tenant.one(WriteBatch(operations=(DeleteObject(key="k"),) * 3))
    assert [each["status"] for each in result["results"]] == [204, 404, 404]
    verdicts = await tenant.write(DeleteObject(key="k"), CreateObject(key="k", body={}))
    assert [each.problem is None for each in verdicts] == [False, True]
    kept = {row.subject for row in await tenant.rows(OBJECTS, OBJECTS.c.deleted_at.is_(None))}
    assert kept == {"ann", "bob", None}


async def test_tenants_do_not_touch_each_other(tenant: Tenant, database: Database) -> None:
    """Two that race for one name each get a collection of their own, in one batch or in two."""
    other = await new_tenant(database)
    assert await other.refused(CreateObject(body={})) == (404, "not_found")
    await asyncio.gather(tenant.define("same"), other.define("same"))
    mine = await tenant.create({"of": "mine"})
    await other.define()
    assert await other.refused(DeleteObject(object_id=mine["id"])) == (404, "not_found")
    both = [tenant.taken(CreateObject(body={}), "same"), other.taken(CreateObject(body={}), "same")]
    assert all(each.problem is None for each in await tenant.together(*both))
    await other.check_counts()


@pytest.mark.parametrize("column", ["disabled_at", "deleted_at"])
async def test_a_gpt_that_may_not_write(database: Database, column: str) -> None:
    """One that is disabled, deleted or unknown is refused, and nothing is written."""
    tenant = await new_tenant(database)
    await tenant.define()
    async with database.transaction() as connection:
        await connection.execute(
            update(GPTS).where(GPTS.c.gpt_id == tenant.gpt_id).values({column: func.now()})
        )
    assert await tenant.refused(CreateObject(body={})) == (403, "gpt_disabled")
    unknown = replace(tenant, gpt_id="t-unknown")
    assert await unknown.refused(CreateObject(body={})) == (403, "gpt_disabled")


async def test_writers_of_one_object_follow_each_other(tenant: Tenant) -> None:
    """Of writers that ask for one version in transactions at once, one wins it, each time."""
    made = await tenant.create({"n": 0})
    for version in range(1, 4):
        merge = [
            MergeObject(object_id=made["id"], patch={"by": [version, n]}, if_version=version)
            for n in range(4)
        ]
        outcomes = [
            each.problem.code if each.problem else "won"
            for verdicts in await asyncio.gather(*(tenant.write(one) for one in merge))
            for each in verdicts
        ]
        assert sorted(outcomes) == ["version_conflict"] * 3 + ["won"]
    assert await tenant.versions(made["id"]) == [1, 2, 3]


async def test_creation_is_in_order_under_a_clock_that_stands(tenant: Tenant) -> None:
    """Times of creation rise strictly, within a batch and after one whose clock was ahead."""
    async with tenant.database.transaction() as connection:
        ahead = text(
            "UPDATE collections SET last_created_at = clock_timestamp() + interval '1 hour' "
            "WHERE gpt_id = :gpt_id"
        )
        await connection.execute(ahead, {"gpt_id": tenant.gpt_id})
    await tenant.write(*(CreateObject(body={"n": number}) for number in range(5)))
    rows = sorted(await tenant.rows(OBJECTS), key=lambda row: row.created_at)
    assert [row.body["n"] for row in rows] == list(range(5))
    assert rows[-1].created_at - rows[0].created_at == timedelta(microseconds=4)
