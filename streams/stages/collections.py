"""Collections: what is asked of collections and objects is judged, in its order, and written.

Reads write-collection. Writes collections, objects, object_versions and the counts of gpts; emits
object-changed, which is the feed of changes, and the facts that `index-object`, `reshape` and
`clear` go on from. Versions, schemas, quotas and keys are judged here, where the order is known.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from pydantic import JsonValue
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import topics
from schemas.events import EventType
from schemas.ids import COLLECTION, OBJECT, RUN, Ids
from schemas.writes import (
    CollectionDeleted,
    CollectionReshaped,
    DefineCollection,
    DropCollection,
    ExpireObject,
    ObjectChange,
    ObjectChanged,
    ObjectSaved,
    WriteBatch,
    WriteCollection,
)
from streams import failures
from streams.collections import answers, loading, rows, saving, stored
from streams.collections.definitions import Defined, Definer
from streams.collections.effort import Effort
from streams.collections.judging import Judge
from streams.collections.loading import Asked
from streams.collections.rejected import Rejected
from streams.collections.validation import Validators
from streams.collections.values import Caller, Change, Collection, Limits
from streams.collections.world import World
from streams.settings import Settings
from streams.stage import BatchStage, Event, Output, Taken, Verdict

NAME: Final = "collections"
_SILENT_SECONDS: Final = 2.0
_TOLD: Final = 200
"""Changes that one record tells; with the longest keys and subjects they are half a MiB."""
_TOGETHER: Final = 1000
"""Operations that are judged together at most; all their bodies are 256 MiB at worst."""
_COLLECTION_EVENTS: Final = {
    "created": EventType.COLLECTION_CREATED,
    "updated": EventType.COLLECTION_UPDATED,
    "deleted": EventType.COLLECTION_DELETED,
}
_OBJECT_EVENTS: Final = {
    "created": EventType.OBJECT_CREATED,
    "updated": EventType.OBJECT_UPDATED,
    "deleted": EventType.OBJECT_DELETED,
}


def stage(ids: Ids, limits: Limits) -> BatchStage[WriteCollection]:
    """Returns: the stage; the limits hold for tenants that have none of their own."""
    writer = _Writer(ids, limits)
    return BatchStage(NAME, topics.WRITE_COLLECTION, writer.write)


def limits(settings: Settings) -> Limits:
    """Returns: what holds for tenants that have no limits of their own."""
    return Limits(
        settings.max_objects_per_gpt, settings.max_bytes_per_gpt, settings.max_collections_per_gpt
    )


@dataclass(frozen=True, slots=True)
class _Writer:
    ids: Ids
    limits: Limits
    validators: Validators = field(default_factory=Validators)

    async def write(
        self, connection: AsyncConnection, taken: Sequence[Taken[WriteCollection]]
    ) -> list[Verdict]:
        parts = list(_parts(taken))
        if len(parts) > 1:
            await loading.lock(connection, {each.work.gpt_id for each in taken})
        return [
            verdict for together in parts for verdict in await self._written(connection, together)
        ]

    async def _written(
        self, connection: AsyncConnection, taken: Sequence[Taken[WriteCollection]]
    ) -> list[Verdict]:
        asked = [_asked(each) for each in taken]
        world = World(await loading.load(connection, asked, self.limits))
        judged = partial(self._judged, world, asked[-1])
        objection = await stored.objection(connection, world, asked[-1], judged)
        verdicts = []
        heard = time.monotonic()
        for pair in zip(taken, asked, strict=True):
            verdicts.append(self._verdict(world, *pair, objection))
            # A transaction that stands still for too long is ended by the server.
            if time.monotonic() > heard + _SILENT_SECONDS:
                await rows.fetch(connection, "SELECT 1", ())
                heard = time.monotonic()
        await saving.save(connection, world)
        return verdicts

    def _verdict(
        self, world: World, taken: Taken[WriteCollection], asked: Asked, objection: Rejected | None
    ) -> Verdict:
        mark = world.mark()
        try:
            if isinstance(asked.operation, DefineCollection | DropCollection):
                return self._defined(world, asked, objection)
            _check_tenant(world, asked)
            result = self._done(world, asked)
            return self._told(world, taken, world.changes_since(mark), result)
        except Rejected as error:
            world.undo(mark)
            request_id = taken.work.request_id
            problem = failures.problem(
                error.code, error.detail, request_id, error.status, errors=error.errors
            )
            return Verdict(problem=problem)

    # Collections

    def _judged(self, world: World, asked: Asked, objection: Rejected | None = None) -> Defined:
        _check_tenant(world, asked)
        definer = Definer(
            world,
            partial(self.ids.mint, COLLECTION),
            self.limits.max_collections,
            asked.caller,
            asked.name,
            objection,
        )
        if isinstance(asked.operation, DropCollection):
            return definer.drop(asked.operation)
        return definer.define(asked.operation)

    def _defined(self, world: World, asked: Asked, objection: Rejected | None) -> Verdict:
        defined = self._judged(world, asked, objection)
        one = defined.collection
        events = []
        if kind := _COLLECTION_EVENTS.get(defined.change):
            data: dict[str, JsonValue] = {"collection": one.name, "version": one.version}
            events.append(Event(kind, data, one.collection_id))
        return Verdict(
            result=answers.of_collection(defined), outputs=list(_facts(defined)), events=events
        )

    # Objects

    def _done(self, world: World, asked: Asked) -> dict[str, Any]:
        new_id = partial(self.ids.mint, OBJECT)
        judge = Judge(world, self.validators, new_id, asked.caller, asked.name)
        if isinstance(asked.operation, WriteBatch):
            shared = Effort(operations=len(asked.operation.operations))
            return _batch(world, replace(judge, effort=shared), asked.operation)
        return answers.of_object(judge.judge(asked.operation), asked.name)

    def _told(
        self,
        world: World,
        taken: Taken[WriteCollection],
        changes: Sequence[Change],
        result: dict[str, Any],
    ) -> Verdict:
        if not changes:
            return Verdict(result=result, told=answers.shortened(result))
        message, work = taken.message, taken.work
        collection = world.collections[changes[0].after.collection_id]
        key = f"{work.gpt_id}/{message.collection}"
        outputs = [
            Output(topics.OBJECT_CHANGED, key, _changed(collection, changes[at : at + _TOLD]))
            for at in range(0, len(changes), _TOLD)
        ]
        if collection.search is not None:
            outputs += [self._saved(each, collection) for each in changes]
        return Verdict(
            result=result,
            told=answers.shortened(result),
            outputs=outputs,
            events=[_event(each, collection) for each in changes],
        )

    def _saved(self, change: Change, collection: Collection) -> Output:
        one = change.after
        saved = ObjectSaved(
            run_id=self.ids.derive(RUN, one.gpt_id, one.object_id, one.version),
            object_id=one.object_id,
            collection_id=collection.collection_id,
            version=one.version,
        )
        return Output(topics.OBJECT_SAVED, one.object_id, saved)


def _parts(
    taken: Sequence[Taken[WriteCollection]],
) -> Iterator[Sequence[Taken[WriteCollection]]]:
    """Yield the records that can be judged together.

    Whether stored objects fit a schema is asked of the table, which must have all that was before.
    And all objects that are judged together are in memory at once.
    """
    together: list[Taken[WriteCollection]] = []
    count = 0
    for each in taken:
        operation = each.message.operation
        more = len(operation.operations) if isinstance(operation, WriteBatch) else 1
        alone = isinstance(operation, DefineCollection) and operation.check_stored
        if together and (alone or count + more > _TOGETHER):
            yield together
            together, count = [], 0
        together.append(each)
        count = _TOGETHER if alone else count + more
    if together:
        yield together


def _asked(taken: Taken[WriteCollection]) -> Asked:
    caller = Caller(taken.work.gpt_id, taken.work.envelope.subject)
    return Asked(caller, taken.message.collection, taken.message.operation)


def _check_tenant(world: World, asked: Asked) -> None:
    tenant = world.tenants.get(asked.caller.gpt_id)
    if tenant is None or tenant.deleted:
        raise Rejected("gpt_disabled", "There is no such GPT.", 403)
    # What was to end ends, whatever becomes of the tenant meanwhile.
    if tenant.disabled and not isinstance(asked.operation, ExpireObject):
        raise Rejected("gpt_disabled", "The GPT is disabled.", 403)


def _batch(world: World, judge: Judge, batch: WriteBatch) -> dict[str, Any]:
    results = []
    for place, operation in enumerate(batch.operations):
        mark = world.mark()
        try:
            results.append(answers.of_one_in_a_batch(judge.judge(operation)))
        except Rejected as error:
            if batch.atomic:
                raise error.of_operation(place) from error
            world.undo(mark)
            results.append(answers.of_no_in_a_batch(error))
    return {"status": 200, "atomic": batch.atomic, "results": results}


def _facts(defined: Defined) -> Iterator[Output]:
    one = defined.collection
    if defined.change == "deleted":
        gone = CollectionDeleted(collection_id=one.collection_id)
        yield Output(topics.COLLECTION_DELETED, one.collection_id, gone)
    if defined.reshaped:
        reshaped = CollectionReshaped(
            collection_id=one.collection_id, shape=one.shape, search=defined.searched
        )
        yield Output(topics.COLLECTION_RESHAPED, one.collection_id, reshaped)


def _changed(collection: Collection, changes: Sequence[Change]) -> ObjectChanged:
    return ObjectChanged(
        collection=collection.name,
        collection_id=collection.collection_id,
        changes=tuple(map(_change, changes)),
    )


def _change(change: Change) -> ObjectChange:
    one = change.after
    return ObjectChange(
        sequence=one.sequence,
        object_id=one.object_id,
        key=one.key,
        version=one.version,
        change=change.kind,
        subject=one.subject,
        changed_at=one.updated_at,
    )


def _event(change: Change, collection: Collection) -> Event:
    one = change.after
    data: dict[str, JsonValue] = {
        "collection": collection.name,
        "key": one.key,
        "version": one.version,
        "sequence": one.sequence,
    }
    return Event(_OBJECT_EVENTS[change.kind], data, one.object_id)
