"""Random operations in memory, against a plain model of what a store of objects is."""

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.writes import (
    CreateObject,
    DeleteObject,
    ExpireObject,
    MergeObject,
    ObjectOperation,
    PutObject,
    RestoreObject,
)
from streams.collections.judging import Judge
from streams.collections.rejected import Rejected
from streams.collections.validation import Validators
from streams.collections.values import Caller, Collection, Loaded, Object, Tenant
from streams.collections.world import World

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
GPT, COLLECTION, NAME = "demo", "col_1", "diary"
MOST_OBJECTS, MOST_BYTES, KEPT = 4, 60, 2


def _place(one: dict[str, Any]) -> tuple[str | None, str | None]:
    return one["key"], one["subject"]


@dataclass
class Model:
    """Objects as dicts in the order of their creation, with every version of each."""

    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    sequence: int = 0

    def live(self) -> list[dict[str, Any]]:
        return [one for one in self.objects.values() if one["body"] is not None]

    def found(self, subject: str | None, target: Any) -> dict[str, Any] | None:
        if target.key is None:
            one = self.objects.get(target.object_id)
            return one if one and subject in (None, one["subject"]) else None
        return next((one for one in self.live() if _place(one) == (target.key, subject)), None)

    def write(self, name: str, body: dict[str, Any] | None, **new: Any) -> None:
        self.sequence += 1
        one = self.objects.setdefault(name, {"version": 0, "versions": {}, "body": None, **new})
        one["versions"][one["version"]] = one["body"]
        alike = [each for each in self.objects.values() if _place(each) == _place(one)]
        above = alike if one["key"] is not None else [one]
        version = 1 + max(each["version"] for each in above)
        one |= {"body": body, "version": version, "sequence": self.sequence}

    def full(self, before: Any, body: dict[str, Any]) -> bool:
        held = sum(size(one["body"]) for one in self.live())
        old = 0 if before is None else size(before)
        more = size(body) - old
        return (before is None and len(self.live()) >= MOST_OBJECTS) or (
            more > 0 and held + more > MOST_BYTES
        )

    def apply(self, subject: str | None, operation: Any) -> str:
        """Do it. Returns: the name of what becomes of it."""
        if isinstance(operation, CreateObject):
            return self._create(subject, operation)
        one = self.found(subject, operation)
        if isinstance(operation, RestoreObject):
            return "not_found" if one is None else self._restore(one, operation)
        if one is not None and one["body"] is not None:
            return self._change(one, operation)
        if isinstance(operation, DeleteObject) and operation.purge and one is not None:
            return self._purge(one, operation)
        if isinstance(operation, PutObject) and operation.key is not None:
            new = operation.if_version is None
            return self._create(subject, operation) if new else "version_conflict"
        return "not_found"

    def _purge(self, one: dict[str, Any], operation: DeleteObject) -> str:
        if operation.if_version not in (None, one["version"]):
            return "version_conflict"
        one["versions"] = {}
        return "unchanged"

    def _change(self, one: dict[str, Any], operation: Any) -> str:
        if isinstance(operation, PutObject) and operation.if_absent:
            return "already_exists"
        if operation.if_version not in (None, one["version"]):
            return "version_conflict"
        if isinstance(operation, DeleteObject):
            self.write(one["id"], None)
            if operation.purge:
                one["versions"] = {}
            return "deleted"
        return self._update(one, operation)

    def _create(self, subject: str | None, operation: Any) -> str:
        taken = {(one["subject"], one["key"]) for one in self.live()}
        if operation.key is not None and (subject, operation.key) in taken:
            return "key_taken"
        if self.full(None, operation.body):
            return "quota_exceeded"
        new_id = f"obj_{len(self.objects) + 1}"
        self.write(new_id, operation.body, id=new_id, subject=subject, key=operation.key)
        return "created"

    def _update(self, one: dict[str, Any], operation: Any) -> str:
        body = operation.body if isinstance(operation, PutObject) else one["body"]
        if isinstance(operation, MergeObject):
            body = one["body"] | operation.patch
            body = {name: value for name, value in body.items() if value is not None}
        if body == one["body"]:
            return "unchanged"
        if self.full(one["body"], body):
            return "quota_exceeded"
        self.write(one["id"], body)
        return "updated"

    def _restore(self, one: dict[str, Any], operation: RestoreObject) -> str:
        if operation.if_version not in (None, one["version"]):
            return "version_conflict"
        versions = one["versions"] | {one["version"]: one["body"]}
        body = versions.get(operation.version)
        if body is None:
            return "not_found"
        if one["body"] is not None:
            return self._update(one, PutObject(key="-", body=body))
        taken = {(other["subject"], other["key"]) for other in self.live()}
        if one["key"] is not None and (one["subject"], one["key"]) in taken:
            return "key_taken"
        full = self.full(None, body)
        if not full:
            self.write(one["id"], body)
        return "quota_exceeded" if full else "created"


def size(body: dict[str, Any]) -> int:
    """Bytes of a body of ASCII."""
    return len(json.dumps(body, separators=(",", ":")))


KEYS = st.sampled_from([None, "a", "b"])
VERSIONS = st.sampled_from([None, None, None, 1, 2, 3])
BODIES = st.dictionaries(st.sampled_from("xyz"), st.integers(0, 3), max_size=3)
PATCHES = st.dictionaries(st.sampled_from("xyz"), st.none() | st.integers(0, 3), max_size=2)


@st.composite
def targeted(draw: Any) -> dict[str, Any]:
    """An object by key or by one of the first ids, in some version or in any."""
    key = draw(KEYS)
    target = {"key": key} if key else {"object_id": f"obj_{draw(st.integers(1, 5))}"}
    return {**target, "if_version": draw(VERSIONS)}


OPERATIONS = st.one_of(
    st.builds(CreateObject, key=KEYS, body=BODIES),
    st.builds(
        lambda target, body, absent: PutObject(**target, body=body, if_absent=absent),
        targeted(),
        BODIES,
        st.booleans(),
    ),
    st.builds(lambda target, patch: MergeObject(**target, patch=patch), targeted(), PATCHES),
    st.builds(lambda target, purge: DeleteObject(**target, purge=purge), targeted(), st.booleans()),
    st.builds(
        lambda target, version: RestoreObject(**target, version=version),
        targeted(),
        st.integers(1, 4),
    ),
)
CALLS = st.lists(
    st.tuples(
        st.sampled_from([None, None, "ann", "bob"]),
        st.booleans(),
        st.lists(OPERATIONS, min_size=1, max_size=4),
    ),
    max_size=20,
)


def new_world(**columns: Any) -> World:
    """An empty collection in a tenant that has room for four objects."""
    loaded = Loaded(NOW)
    loaded.tenants[GPT] = Tenant(
        GPT,
        disabled=False,
        deleted=False,
        max_objects=MOST_OBJECTS,
        max_bytes=MOST_BYTES,
        object_count=0,
        byte_count=0,
    )
    given = {"keep_versions": 100, **columns}
    loaded.collections[COLLECTION] = Collection(COLLECTION, GPT, NAME, NOW, NOW, **given)
    return World(loaded)


def numbered(world: World) -> Callable[[str], str]:
    """Ids as the model gives them."""
    return lambda _: f"obj_{len(world.objects) + 1}"


def outcome(judge: Judge, operation: Any) -> str:
    """Do one operation. Returns: what became of it, by name."""
    mark = judge.world.mark()
    try:
        return judge.judge(operation).change
    except Rejected as error:
        judge.world.undo(mark)
        return error.code


def shown(world: World) -> dict[str, Any]:
    """What the world holds, in the model's terms."""
    return {
        one.object_id: (
            None if one.deleted_at else json.loads(one.body),
            one.version,
            one.sequence,
            one.subject,
            one.key,
        )
        for one in world.objects.values()
    }


def check_counts(world: World) -> None:
    """What is counted is what there is; sequences and times of creation are each given once."""
    live = [one for one in world.objects.values() if one.deleted_at is None]
    for holder in (world.tenants[GPT], world.collections[COLLECTION]):
        assert holder.object_count == len(live) <= MOST_OBJECTS
        assert holder.byte_count == sum(one.size_bytes for one in live) <= MOST_BYTES
    keys = [(one.subject, one.key) for one in live if one.key is not None]
    assert len(set(keys)) == len(keys)
    for column in ("sequence", "created_at"):
        values = [getattr(one, column) for one in world.objects.values()]
        assert len(set(values)) == len(values)


@given(CALLS)
def test_the_world_does_what_the_model_does(calls: list[Any]) -> None:
    """Each operation ends as in the model, and an atomic call that fails leaves no trace."""
    world, model = new_world(), Model()
    for subject, atomic, operations in calls:
        judge = Judge(world, Validators(), numbered(world), Caller(GPT, subject), NAME)
        mark, before = world.mark(), copy.deepcopy(model)
        for operation in operations:
            expected = model.apply(subject, operation)
            assert outcome(judge, operation) == expected
            failed = expected not in ("created", "updated", "deleted", "unchanged")
            if failed and atomic:
                world.undo(mark)
                model = before
                break
        assert shown(world) == {
            name: (one["body"], one["version"], one["sequence"], one["subject"], one["key"])
            for name, one in model.objects.items()
        }
        check_counts(world)


def test_only_the_last_versions_are_entered() -> None:
    """Of many versions in one batch those are written that the collection keeps."""
    world = new_world(keep_versions=KEPT)
    judge = Judge(world, Validators(), lambda _: "obj_1", Caller(GPT, None), NAME)
    judge.judge(CreateObject(body={"n": 1}))
    for number in range(2, 7):
        judge.judge(PutObject(object_id="obj_1", body={"n": number}))
    assert [each.version for each in world.superseded()] == [4, 5]
    assert world.floors() == [("obj_1", 3)]


def held(world: World, **columns: Any) -> World:
    """The same with an object whose time is over."""
    values = {
        "object_id": "obj_0",
        "gpt_id": GPT,
        "collection_id": COLLECTION,
        "subject": None,
        "key": "a",
        "body": "{}",
        "size_bytes": 2,
        "version": 3,
        "sequence": 1,
        "created_at": NOW,
        "updated_at": NOW,
        "expires_at": NOW - timedelta(seconds=1),
    }
    loaded = Loaded(NOW, dict(world.tenants), dict(world.collections))
    loaded.objects["obj_0"] = Object(**{**values, **columns})
    world = World(loaded)
    world.count(GPT, 1, 2)
    return world


def test_an_object_whose_time_is_over_gives_its_key_back() -> None:
    """A write by its key buries it first, and both are told in the feed of changes."""
    world = held(new_world())
    judge = Judge(world, Validators(), lambda _: "obj_1", Caller(GPT, None), NAME)
    mark = world.mark()
    assert outcome(judge, PutObject(key="a", body={}, if_absent=True)) == "created"
    kinds = [(each.kind, each.after.object_id) for each in world.changes_since(mark)]
    assert kinds == [("deleted", "obj_0"), ("created", "obj_1")]
    assert [each.object_id for each in world.changed_objects()] == ["obj_0", "obj_1"]


@pytest.mark.parametrize(
    "operation",
    [
        PutObject(object_id="obj_0", body={}),
        MergeObject(key="a", patch={}),
        DeleteObject(object_id="obj_0"),
        RestoreObject(object_id="obj_0", version=1),
    ],
)
def test_an_object_whose_time_is_over_is_not_there(operation: ObjectOperation) -> None:
    """Nothing but its end can be done to it."""
    world = held(new_world())
    judge = Judge(world, Validators(), lambda _: "obj_1", Caller(GPT, None), NAME)
    assert outcome(judge, operation) == "not_found"


@pytest.mark.parametrize(
    ("expires_at", "change"),
    [(NOW, "deleted"), (NOW + timedelta(seconds=1), "unchanged"), (None, "unchanged")],
)
def test_an_end_comes_when_it_is_due(expires_at: datetime | None, change: str) -> None:
    """An end that was put off meanwhile does not come."""
    world = held(new_world(), expires_at=expires_at)
    judge = Judge(world, Validators(), lambda _: "obj_1", Caller(GPT, None), NAME)
    assert outcome(judge, ExpireObject(object_id="obj_0")) == change


def test_versions_of_a_key_never_come_again() -> None:
    """Who holds the ETag of a deleted object cannot write over the next one of its key."""
    world = new_world()
    judge = Judge(world, Validators(), numbered(world), Caller(GPT, None), NAME)
    first = judge.judge(PutObject(key="a", body={"x": 1})).object
    assert first is not None
    judge.judge(PutObject(key="a", body={"x": 2}))
    judge.judge(DeleteObject(key="a"))
    second = judge.judge(PutObject(key="a", body={"x": 3})).object
    assert second is not None
    assert (second.object_id, second.version) == ("obj_2", 4)
    assert outcome(judge, PutObject(key="a", body={}, if_version=2)) == "version_conflict"

    judge.judge(DeleteObject(key="a"))
    restored = judge.judge(RestoreObject(object_id="obj_1", version=1)).object
    assert restored is not None
    assert (restored.version, restored.body) == (6, first.body)
    other = judge.judge(CreateObject(key="b", body={})).object
    assert other is not None
    assert other.version == 1
