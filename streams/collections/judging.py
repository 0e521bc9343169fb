"""What an operation on objects comes to, in the order in which they came."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from schemas.writes import (
    CreateObject,
    DeleteObject,
    ExpireObject,
    MergeObject,
    PatchObject,
    PutObject,
    RestoreObject,
    Target,
)
from streams.collections import bodies, derived
from streams.collections.bodies import Body
from streams.collections.effort import Effort
from streams.collections.rejected import Rejected, missing
from streams.collections.validation import Validators
from streams.collections.values import Caller, Collection, Object
from streams.collections.world import World

Writing = (
    CreateObject
    | PutObject
    | MergeObject
    | PatchObject
    | DeleteObject
    | RestoreObject
    | ExpireObject
)


_HANDLING_STEPS: Final = 3
"""What a value of a body takes beside its schema: to be checked, written, compared, indexed."""
_BYTES_A_STEP: Final = 16
"""What Postgres takes to write text, however few values it is."""
_INDEXED_BYTES_A_STEP: Final = 2
"""Of texts that an index of words names, where they change: it takes 0.15 s to find the words of
256 KiB of random text and to index them."""


@dataclass(frozen=True, slots=True)
class Done:
    """What an operation came to: the object as it is now."""

    status: int
    change: Literal["created", "updated", "deleted", "unchanged"]
    object: Object | None


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges operations on the objects of one collection, for one caller.

    `new_id` makes the id of a new object of a tenant.
    """

    world: World
    validators: Validators
    new_id: Callable[[str], str]
    caller: Caller
    name: str
    effort: Effort = field(default_factory=Effort)

    def judge(self, operation: Writing) -> Done:
        """Do one operation. Raises: Rejected: nothing is done that `World.undo` does not undo."""
        collection = self._collection()
        match operation:
            case CreateObject():
                body = self._fitting(collection, operation.body)
                self._free(collection, operation.key)
                ends = self._ends(collection, operation.ttl_s)
                return self._created(collection, operation.key, body, ends)
            case PutObject():
                return self._put(collection, operation)
            case MergeObject() | PatchObject():
                return self._patch(collection, operation)
            case RestoreObject():
                return self._restore(collection, operation)
            case DeleteObject():
                return self._delete(collection, operation)
            case ExpireObject():
                return self._expire(collection, operation)

    def _collection(self) -> Collection:
        found = self.world.collection(self.caller.gpt_id, self.name)
        if found is None:
            raise missing("collection")
        return found

    # Finding

    def _named(self, collection: Collection, target: Target) -> Object | None:
        """Returns: the object that is meant, live or with a tombstone; None if there is none."""
        if target.key is not None and target.object_id is None:
            # Never that of another end user: whoever writes twice by key writes one object.
            return self.world.bearer(collection.collection_id, self.caller.subject, target.key)
        if target.object_id is None or target.key is not None:
            raise Rejected("invalid_target", "Name an object by `id` or by `key`.", 422)
        found = self.world.objects.get(target.object_id)
        if found is None or found.collection_id != collection.collection_id:
            return None
        return found if self.caller.sees(found) else None

    def _there(self, collection: Collection, target: Target) -> Object:
        """Returns: the live object that is meant, in the version that is asked for."""
        found = self._named(collection, target)
        if found is None or not found.lives(self.world.now):
            raise missing("object")
        _check_version(found, target)
        return found

    def _free(self, collection: Collection, key: str | None) -> None:
        """Have a key free for a new object. Raises: Rejected (409): another one has it."""
        if key is None:
            return
        bearer = self.world.bearer(collection.collection_id, self.caller.subject, key)
        if bearer is None:
            return
        if bearer.lives(self.world.now):
            detail = f"Object {bearer.object_id} has this key; PUT replaces it."
            raise Rejected("key_taken", detail, 409)
        self.world.bury(bearer)

    # Doing

    def _created(
        self, collection: Collection, key: str | None, body: Body, ends: datetime | None
    ) -> Done:
        self._index(collection, body)
        made = Object(
            object_id=self.new_id(collection.gpt_id),
            gpt_id=collection.gpt_id,
            collection_id=collection.collection_id,
            subject=self.caller.subject,
            key=key,
            body=body.text,
            size_bytes=body.size_bytes,
            version=1,
            sequence=0,
            created_at=self.world.now,
            updated_at=self.world.now,
            expires_at=ends,
        )
        return Done(201, "created", self.world.create(made))

    def _put(self, collection: Collection, put: PutObject) -> Done:
        found = self._named(collection, put)
        if found is None or not found.lives(self.world.now):
            if put.key is None:
                raise missing("object")
            if put.if_exists or put.if_version is not None:
                detail = "There is no object of this key, in no version."
                raise Rejected("version_conflict", detail, 412)
            body = self._fitting(collection, put.body)
            self._free(collection, put.key)
            return self._created(collection, put.key, body, self._ends(collection, put.ttl_s))
        if put.if_absent:
            detail = f"Object {found.object_id} is there already, in version {found.version}."
            raise Rejected("already_exists", detail, 412)
        _check_version(found, put)
        body = self._fitting(collection, put.body)
        return self._updated(collection, found, body, self._ends(collection, put.ttl_s))

    def _patch(self, collection: Collection, operation: MergeObject | PatchObject) -> Done:
        found = self._there(collection, operation)
        before = self._opened(found.body)
        if isinstance(operation, MergeObject):
            after = bodies.merged(before, operation.patch)
        else:
            after = bodies.patched(before, operation.patch, self.effort)
        body = self._fitting(collection, after)
        given = operation.ttl_s is not None
        ends = self._ends(collection, operation.ttl_s) if given else found.expires_at
        return self._updated(collection, found, body, ends)

    def _restore(self, collection: Collection, operation: RestoreObject) -> Done:
        found = self._named(collection, operation)
        if found is None or (found.deleted_at is None and not found.lives(self.world.now)):
            raise missing("object")
        _check_version(found, operation)
        if found.deleted_at is None and operation.version == found.version:
            return Done(200, "unchanged", found)
        earlier = self.world.earlier.get((found.object_id, operation.version))
        if earlier is None or earlier.version <= self.world.forgotten.get(found.object_id, 0):
            raise missing(f"version; version {operation.version} is not kept")
        body = self._fitting(collection, self._opened(earlier.body))
        if found.deleted_at is None:
            return self._updated(collection, found, body, found.expires_at)
        self._index(collection, body)
        self._free_for(collection, found)
        after = _with(found, body, self._ends(collection, None))
        return Done(200, "created", self.world.revive(found, after))

    def _free_for(self, collection: Collection, found: Object) -> None:
        owner = replace(self, caller=replace(self.caller, subject=found.subject))
        owner._free(collection, found.key)  # noqa: SLF001 - the same judge for another end user

    def _delete(self, collection: Collection, operation: DeleteObject) -> Done:
        found = self._named(collection, operation)
        if found is not None and found.deleted_at is not None and operation.purge:
            _check_version(found, operation)
            self.world.forget_earlier(found)
            return Done(204, "unchanged", found)
        if found is None or not found.lives(self.world.now):
            raise missing("object")
        _check_version(found, operation)
        buried = self.world.bury(found)
        if operation.purge:
            self.world.forget_earlier(buried)
        return Done(204, "deleted", buried)

    def _expire(self, collection: Collection, operation: ExpireObject) -> Done:
        found = self._named(collection, Target(object_id=operation.object_id))
        if found is None or found.deleted_at is not None or not found.is_over(self.world.now):
            return Done(204, "unchanged", found)
        return Done(204, "deleted", self.world.bury(found))

    def _updated(
        self, collection: Collection, found: Object, body: Body, ends: datetime | None
    ) -> Done:
        if body.size_bytes == found.size_bytes and bodies.same(found.body, body):
            # Its end is none of its content: a put that is repeated puts it off, and makes nothing.
            if ends != found.expires_at:
                found = self.world.put_off(found, ends)
            return Done(200, "unchanged", found)
        self._index(collection, body)
        return Done(200, "updated", self.world.supersede(found, _with(found, body, ends)))

    # Checking

    def _fitting(self, collection: Collection, value: dict[str, Any]) -> Body:
        body = bodies.of(value)
        written = body.size_bytes // _BYTES_A_STEP
        self.effort.spend(_HANDLING_STEPS * body.values + written)
        self.validators.check(collection.json_schema, body, self.effort)
        return body

    def _index(self, collection: Collection, body: Body) -> None:
        """Spend what finding and indexing a body's words takes. Raises: Rejected: too much."""
        if collection.indexes.text is not None:
            words = derived.size_of_words(collection.indexes.text, body.value)
            self.effort.spend(words // _INDEXED_BYTES_A_STEP)

    def _opened(self, text: str) -> dict[str, Any]:
        self.effort.spend(bodies.count(text))
        value: dict[str, Any] = json.loads(text)
        return value

    def _ends(self, collection: Collection, ttl_s: int | None) -> datetime | None:
        seconds = collection.default_ttl_s if ttl_s is None else ttl_s
        return self.world.now + timedelta(seconds=seconds) if seconds else None


def _with(one: Object, body: Body, ends: datetime | None) -> Object:
    return replace(
        one, body=body.text, size_bytes=body.size_bytes, expires_at=ends, deleted_at=None
    )


def _check_version(one: Object, target: Target) -> None:
    if target.if_version is not None and target.if_version != one.version:
        detail = f"The object is in version {one.version}, not {target.if_version}."
        raise Rejected("version_conflict", detail, 412)
