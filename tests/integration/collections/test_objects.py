"""Objects as they are written to a real Postgres, in batches, each record with its own outcome."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from schemas.tables import OBJECT_VERSIONS, OBJECTS
from schemas.topics import MAX_MESSAGE_BYTES
from schemas.writes import (
    CreateObject,
    DeleteObject,
    MergeObject,
    PatchObject,
    PutObject,
    RestoreObject,
    WriteBatch,
)
from tests.integration.collections.conftest import Tenant, changes

EVERYTHING: dict[str, Any] = {
    "big": [10**400, -(10**40), 2**63, 0],
    "double": [0.1, 1e300, 1e-7, -1.5, 12345678901234567.0],
    "text": 'ÀÉ\U0001f600\u202e\ufeff\u2028"\\/\t\n</script>',
    "é / ~ name": {"": [], "nested": [{}, [[]], None, True, False]},
}


async def test_a_body_is_kept_exactly(tenant: Tenant) -> None:
    """Integers of any size and all of Unicode come back, and the size is that of the JSON."""
    made = await tenant.create(EVERYTHING)
    [row] = await tenant.rows(OBJECTS)
    assert {**row.body, "double": list(map(float, row.body["double"]))} == EVERYTHING
    compact = json.dumps(row.body, ensure_ascii=False, separators=(",", ":"))
    assert abs(row.size_bytes - len(compact.encode())) == len("0.0000001") - len("1e-07")
    again = await tenant.one(PutObject(object_id=made["id"], body=EVERYTHING))
    assert (again["change"], again["object"]["version"]) == ("unchanged", 1)


async def test_versions_of_a_key_go_on_behind_a_tombstone(tenant: Tenant) -> None:
    """For another object of that key, also after many, and for one of them that is restored."""
    seen = []
    for number in range(3):
        made = (await tenant.put("a", {"n": number}))["object"]
        gone = (await tenant.delete(made["id"]))["object"]
        seen += [(made["version"], gone["version"])]
    assert seen == [(1, 2), (3, 4), (5, 6)]
    first = min(await tenant.rows(OBJECTS), key=lambda row: row.created_at)
    back = await tenant.one(RestoreObject(object_id=first.object_id, version=1))
    assert back["object"]["version"] == 7
    came = {row.object_id: row.first_version for row in await tenant.rows(OBJECTS)}
    assert sorted(came.values(), key=str) == [3, 5, 7]
    assert came[first.object_id] == 7
    await tenant.put("a", {"n": 9})
    [row] = await tenant.rows(OBJECTS, OBJECTS.c.object_id == first.object_id)
    assert (row.version, row.first_version) == (8, 7)
    assert await tenant.refused(PutObject(key="a", body={}, if_version=5)) == (
        412,
        "version_conflict",
    )
    assert (await tenant.put("b", {}))["object"]["version"] == 1


async def test_a_put_may_ask_that_there_be_one(tenant: Tenant) -> None:
    """In whatever version; nothing is created then."""
    put = PutObject(key="k", body={}, if_exists=True)
    assert await tenant.refused(put) == (412, "version_conflict")
    assert await tenant.rows(OBJECTS) == []
    await tenant.put("k", {"n": 1})
    assert (await tenant.one(put))["change"] == "updated"


async def test_a_life(tenant: Tenant) -> None:
    """Each change is a version with a place among the collection's changes."""
    made = await tenant.create({"a": 1, "b": {"c": [1, 2]}})
    await tenant.merge(made["id"], {"a": None, "b": {"d": 1}})
    patch = ({"op": "add", "path": "/b/c/-", "value": 3},)
    await tenant.one(PatchObject(object_id=made["id"], patch=patch, if_version=2))
    deleted = await tenant.delete(made["id"])
    assert (deleted["status"], deleted["object"]["version"]) == (204, 4)
    [row] = await tenant.rows(OBJECTS)
    assert (row.body, row.version, row.sequence) == ({}, 4, 4)
    assert await tenant.versions(made["id"]) == [1, 2, 3]
    back = await tenant.one(RestoreObject(object_id=made["id"], version=3))
    [row] = await tenant.rows(OBJECTS)
    assert row.body == {"b": {"c": [1, 2, 3], "d": 1}}
    assert (back["change"], back["object"]["created_at"]) == ("created", made["created_at"])
    back = await tenant.one(RestoreObject(object_id=made["id"], version=1, if_version=5))
    [row] = await tenant.rows(OBJECTS)
    assert (row.body, back["object"]["version"]) == ({"a": 1, "b": {"c": [1, 2]}}, 6)
    await tenant.delete(made["id"], purge=True)
    assert await tenant.versions(made["id"]) == []
    restore = RestoreObject(object_id=made["id"], version=1)
    assert await tenant.refused(restore) == (404, "not_found")


async def test_as_many_versions_are_kept_as_the_collection_says(tenant: Tenant) -> None:
    """Older ones go with the write that makes them too many, in one batch or in several."""
    await tenant.define(keep_versions=2)
    made = await tenant.create({"n": 1})
    for number in (2, 3):
        await tenant.merge(made["id"], {"n": number})
    later = [MergeObject(object_id=made["id"], patch={"n": number}) for number in range(4, 8)]
    await tenant.write(*later)
    assert await tenant.versions(made["id"]) == [5, 6]
    await tenant.define(keep_versions=0)
    await tenant.merge(made["id"], {"n": 8})
    assert await tenant.versions(made["id"]) == []


async def test_a_batch_of_50_with_bad_ones_in_it(tenant: Tenant) -> None:
    """A record that is wrong fails alone, and the others follow each other's effects."""
    good = [CreateObject(key=f"k{number}", body={"n": number}) for number in range(40)]
    bad = [
        CreateObject(key="k1", body={}),
        CreateObject(body={"a": "\x00"}),
        PutObject(key="k2", body={}, if_absent=True),
        MergeObject(key="k3", patch={"n": 1}, if_version=9),
        DeleteObject(object_id="obj_unknown"),
        PatchObject(key="k4", patch=({"op": "test", "path": "/n", "value": 0},)),
        PutObject(key="k1", object_id="obj_1", body={}),
    ]
    after = [MergeObject(key="k5", patch={"n": number}) for number in range(3)]
    verdicts = await tenant.write(*good[:20], *bad, *good[20:], *after)
    problems = [each.problem.code for each in verdicts if each.problem is not None]
    assert problems == [
        "key_taken",
        "invalid_body",
        "already_exists",
        "version_conflict",
        "not_found",
        "patch_test_failed",
        "invalid_target",
    ]
    rows = {row.key: row for row in await tenant.rows(OBJECTS)}
    assert len(rows) == 40
    assert (rows["k5"].body, rows["k5"].version) == ({"n": 2}, 4)
    assert max(row.sequence for row in rows.values()) == 43


@pytest.mark.parametrize("atomic", [True, False])
async def test_many_operations_in_one_request(tenant: Tenant, *, atomic: bool) -> None:
    """All or none of them, or each on its own; either way one request with one answer."""
    await tenant.define(json_schema=schema_of("n"))
    operations = (
        CreateObject(key="a", body={"n": 1}),
        PutObject(key="b", body={"n": 2}),
        CreateObject(body={"n": "wrong"}),
        DeleteObject(key="a"),
    )
    [verdict] = await tenant.write(WriteBatch(operations=operations, atomic=atomic))
    if atomic:
        assert verdict.problem is not None
        assert (verdict.problem.status, verdict.problem.code) == (422, "schema_mismatch")
        assert verdict.problem.detail.startswith("operation 2: ")
        assert [each.pointer for each in verdict.problem.errors] == ["/operations/2/body/n"]
        assert not verdict.outputs
        assert not verdict.events
        assert not await tenant.rows(OBJECTS)
        return
    assert verdict.result is not None
    results = verdict.result["results"]
    assert [each["status"] for each in results] == [201, 201, 422, 204]
    assert results[2]["problem"]["errors"][0]["pointer"] == "/body/n"
    assert [each.change for each in changes(verdict)] == ["created", "created", "deleted"]
    assert len(verdict.events) == 3


async def test_the_largest_batch_fits_its_records(tenant: Tenant) -> None:
    """500 operations with the longest keys are told in records of less than a MiB."""
    longest = replace(tenant, subject="\U0001f600" * 256)
    keys = [f"{number:03}".rjust(256, "\U0001f600") for number in range(500)]
    operations = tuple(CreateObject(key=key, body={}) for key in keys)
    [verdict] = await longest.write(WriteBatch(operations=operations))
    assert verdict.told == {"status": 200, "atomic": False, "results_count": 500}
    sizes = [len(each.message.model_dump_json().encode()) for each in verdict.outputs]
    assert len(sizes) == 3
    assert max(sizes) < MAX_MESSAGE_BYTES


def schema_of(name: str) -> Any:
    """A schema with one integer."""
    return {"type": "object", "properties": {name: {"type": "integer"}}}


async def test_a_key_can_be_given_again_within_one_batch(tenant: Tenant) -> None:
    """Delete and create, restore and replace: the unique key never stands in the way."""
    made = await tenant.create({"n": 1}, key="k")
    verdicts = await tenant.write(
        DeleteObject(key="k"),
        CreateObject(key="k", body={"n": 2}),
        RestoreObject(object_id=made["id"], version=1),
        DeleteObject(key="k"),
        RestoreObject(object_id=made["id"], version=1),
    )
    codes = [each.problem.code if each.problem else None for each in verdicts]
    assert codes == [None, None, "key_taken", None, None]
    alive = [row for row in await tenant.rows(OBJECTS) if row.deleted_at is None]
    assert [(row.object_id, row.version) for row in alive] == [(made["id"], 5)]


async def test_a_key_of_a_deleted_object_that_another_one_has(tenant: Tenant) -> None:
    """What has the key now was written in another batch, and is found by what is restored."""
    made = await tenant.create({}, key="k")
    await tenant.delete(made["id"])
    await tenant.create({}, key="k")
    restore = RestoreObject(object_id=made["id"], version=1)
    assert await tenant.refused(restore) == (409, "key_taken")


async def test_time_to_live(tenant: Tenant) -> None:
    """Given with a write, or the collection's; a merge leaves it, a put begins it anew."""
    await tenant.define(default_ttl_s=3600)
    made = await tenant.create({}, ttl_s=60)
    merged = await tenant.merge(made["id"], {"a": 1})
    assert merged["object"]["expires_at"] == made["expires_at"]
    put = await tenant.one(PutObject(object_id=made["id"], body={"a": 2}))
    assert put["change"] == "updated"
    [row] = await tenant.rows(OBJECTS)
    assert row.expires_at - row.updated_at == timedelta(hours=1)
    back = await tenant.one(RestoreObject(object_id=made["id"], version=1))
    assert back["object"]["expires_at"] == put["object"]["expires_at"]
    lifted = await tenant.merge(made["id"], {"b": 1}, ttl_s=0)
    assert lifted["object"]["expires_at"] is None
    assert (await tenant.put("k", {}, ttl_s=0))["object"]["expires_at"] is None
    assert (await tenant.put("l", {}))["object"]["expires_at"] is not None


async def test_an_end_that_moves_is_no_new_version(tenant: Tenant) -> None:
    """What is put again as it is stays in its version and its place among the changes."""
    await tenant.define(default_ttl_s=60)
    made = (await tenant.put("k", {"a": 1}))["object"]
    [verdict] = await tenant.write(PutObject(key="k", body={"a": 1}, ttl_s=3600))
    assert (verdict.result or {})["change"] == "unchanged"
    assert not verdict.outputs
    assert not verdict.events
    [row] = await tenant.rows(OBJECTS)
    assert (row.version, row.sequence, row.body) == (1, 1, {"a": 1})
    assert row.expires_at - row.created_at >= timedelta(hours=1)
    [verdict] = await tenant.write(MergeObject(key="k", patch={}, ttl_s=0))
    assert (verdict.result or {})["object"] == {**made, "expires_at": None}
    [row] = await tenant.rows(OBJECTS)
    assert (row.version, row.expires_at) == (1, None)
    assert await tenant.versions(made["id"]) == []


async def test_no_answer_keeps_a_body(tenant: Tenant) -> None:
    """A purge must leave no copy of it."""
    assert "body" not in await tenant.create({"a": "x"})


async def test_earlier_versions_are_told_when_they_were_written(tenant: Tenant) -> None:
    """Each bears the time at which it became the newest."""
    made = await tenant.create({"n": 1})
    await tenant.merge(made["id"], {"n": 2})
    [version] = await tenant.rows(OBJECT_VERSIONS)
    assert version.written_at.isoformat().startswith(made["updated_at"][:19])
    assert (version.body, version.version) == ({"n": 1}, 1)


async def test_a_batch_of_very_many_operations_is_judged_part_by_part(tenant: Tenant) -> None:
    """Each part finds what those before it have left, in the same transaction."""
    await tenant.define(keep_versions=0)
    made = WriteBatch(operations=tuple(CreateObject(key=f"k{n}", body={}) for n in range(400)))
    changed = [
        WriteBatch(operations=tuple(MergeObject(key=f"k{n}", patch={"at": at}) for n in range(400)))
        for at in range(2)
    ]
    last = DeleteObject(key="k0")
    verdicts = await tenant.write(made, *changed, last)
    assert [verdict.problem for verdict in verdicts] == [None] * 4
    rows = await tenant.rows(OBJECTS, OBJECTS.c.deleted_at.is_(None))
    assert {(row.version, row.body["at"]) for row in rows} == {(3, 1)}
    assert len(rows) == 399
    await tenant.check_counts()


async def test_a_batch_of_500_ordinary_objects_fits(tenant: Tenant) -> None:
    """With a schema that matches each of 60 tags, and the words of each object indexed."""
    tags = {"items": {"type": "string", "maxLength": 40, "pattern": "^[a-z0-9-]+$"}}
    schema = {"properties": {"text": {"maxLength": 5000}, "tags": tags}}
    await tenant.define(json_schema=schema, indexes={"text": {"fields": ["/text"]}})
    body: dict[str, Any] = {"text": "x" * 200, "tags": [f"tag-{number:03}" for number in range(60)]}
    made = WriteBatch(operations=tuple(CreateObject(body=body) for _ in range(500)))
    results = (await tenant.one(made))["results"]
    assert {each["status"] for each in results} == {201}


async def test_bytes_take_effort_however_few_values_they_are(tenant: Tenant) -> None:
    """One request does not have Postgres write and index large texts for minutes."""
    await tenant.define(keep_versions=0)
    body = {"text": "x" * 250_000}
    puts = tuple(PutObject(key="k", body={**body, "at": at}) for at in range(70))
    assert await tenant.refused(WriteBatch(operations=puts, atomic=True)) == (422, "too_complex")
    some = WriteBatch(operations=puts[:10], atomic=True)
    assert (await tenant.one(some))["status"] == 200
    await tenant.define(indexes={"text": {}})
    assert await tenant.refused(some) == (422, "too_complex")
