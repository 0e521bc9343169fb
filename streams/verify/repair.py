"""Mending what can be mended safely: by publishing what makes a worker do it, or by deleting waste.

Repair writes no row and no entry: the stages do, under the ledger's rules. Whatever it publishes
may be published twice without harm.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Row, or_, select

from schemas import topics
from schemas.envelope import Envelope
from schemas.ids import REQUEST, RUN
from schemas.messages import DocumentUpdated, Message
from schemas.states import SETTLED
from schemas.tables import DOCUMENTS, OBJECTS, RUNS, STEPS
from schemas.topics import DOCUMENT_UPDATED, OBJECT_SAVED, READERS, Topic
from schemas.writes import ObjectSaved
from streams import wire
from streams.runner import Publisher
from streams.stage import Record
from streams.targets import Targets
from streams.verify.difference import Difference, Kind
from streams.verify.stores import Stores


class Repair:
    """Mends differences; `name` tells this repair's requests from those of another."""

    def __init__(self, stores: Stores, publisher: Publisher, *, name: str) -> None:
        self._stores = stores
        self._publisher = publisher
        self._targets = Targets(stores.database, stores.search)
        self._name = name

    async def mend(self, each: Difference) -> Difference:
        """Returns: the difference with what was done about it, unchanged if nothing could be.

        A suspicion is left as it is.

        Raises: DependencyDown: a store or Kafka does not answer.
        """
        way = _WAYS.get(each.kind)
        if way is None or not each.certain:
            return each
        return replace(each, mended=await way(self, each))

    async def refresh(self, each: Difference) -> str | None:
        """Have the document or object indexed as it is now. Returns: what was published."""
        if each.collection_id is not None:
            return await self._refresh_object(each.subject, each.collection_id)
        query = select(DOCUMENTS.c.gpt_id, DOCUMENTS.c.version).where(
            DOCUMENTS.c.document_id == each.document_id
        )
        rows = await self._stores.rows(query)
        if each.document_id is None or not rows:
            return None
        [row] = rows
        message = DocumentUpdated(document_id=each.document_id, version=row.version)
        return await self._publish(DOCUMENT_UPDATED, each.document_id, row.gpt_id, message)

    async def _refresh_object(self, object_id: str, collection_id: str) -> str | None:
        query = select(OBJECTS.c.gpt_id, OBJECTS.c.version).where(OBJECTS.c.object_id == object_id)
        rows = await self._stores.rows(query)
        if not rows:
            return None
        [row] = rows
        message = ObjectSaved(
            run_id=self._stores.ids.derive(RUN, row.gpt_id, "verify", self._name, object_id),
            object_id=object_id,
            collection_id=collection_id,
            version=row.version,
        )
        return await self._publish(OBJECT_SAVED, object_id, row.gpt_id, message)

    async def _publish(self, topic: Topic[Any], key: str, gpt_id: str, message: Message) -> str:
        envelope = Envelope(
            request_id=self._stores.ids.derive(REQUEST, gpt_id, "verify", self._name, key),
            gpt_id=gpt_id,
            schema_name=topic.schema_name,
            correlation_id=self._name,
        )
        value = message.model_dump_json().encode()
        record = Record(topic.name, key.encode(), value, envelope.to_headers())
        await self._publisher.publish((record,))
        [stage] = [name for name, source in READERS.items() if source is topic]
        return f"published {topic.name}: `{stage}` writes its entries"

    async def forget(self, each: Difference) -> str:
        """Delete the entries of a document or object. Returns: what was done."""
        await self._targets.forget(each.subject)
        return "deleted its entries"

    async def remove(self, each: Difference) -> str | None:
        """Delete entries of what was deleted; an object may come back, and its versions go on."""
        return await (self.forget if each.collection_id is None else self.refresh)(each)

    async def discard(self, each: Difference) -> str:
        """Delete an object that nothing names, and that no topic can name any more."""
        await self._stores.store.delete(each.subject)
        return "deleted the object"

    async def push(self, each: Difference) -> str | None:
        """Publish what would bring stuck work on, if the ledger has it."""
        of_run = select(RUNS.c.request_id).where(RUNS.c.run_id == each.subject)
        query = select(STEPS).where(
            STEPS.c.gpt_id == each.gpt_id,
            or_(STEPS.c.request_id == each.subject, STEPS.c.request_id.in_(of_run)),
        )
        rows = await self._stores.rows(query.order_by(STEPS.c.started_at, STEPS.c.part))
        records = lost(rows)
        if not records:
            return None
        await self._publisher.publish(records)
        names = sorted({record.topic for record in records})
        return f"published again: {', '.join(names)}"


_WAYS: Final[Mapping[Kind, Callable[[Repair, Difference], Awaitable[str | None]]]] = {
    Kind.ENTRIES_MISSING: Repair.refresh,
    Kind.ENTRIES_STALE: Repair.refresh,
    Kind.INDEX_BEHIND: Repair.refresh,
    Kind.CHUNKS_MISSING: Repair.refresh,
    Kind.ENTRIES_OF_DELETED: Repair.remove,
    Kind.ENTRIES_WITHOUT_DOCUMENT: Repair.forget,
    Kind.ENTRIES_WITHOUT_OBJECT: Repair.forget,
    Kind.OBJECT_WITHOUT_ROW: Repair.discard,
    Kind.STUCK: Repair.push,
}


def lost(steps: Sequence[Row[Any]]) -> tuple[Record, ...]:
    """Returns: the records that bring on work at a standstill, from what its steps have stored.

    They are the outputs of its last step; or, where a step is not settled, the record that it waits
    for or was begun by. None where the ledger does not have them.
    """
    every = list(steps)
    unsettled = [step for step in every if step.state not in SETTLED]
    if not unsettled:
        return _outputs(every[-1]) if every else ()
    step = unsettled[-1]
    if step.outputs:
        return _outputs(step)
    source = topics.sources(step.stage)
    for before in reversed(every):
        for record in _outputs(before):
            if record.topic in source and _part(record) == step.part:
                return (_attempt(record, step),)
    return ()


def _outputs(step: Row[Any]) -> tuple[Record, ...]:
    return tuple(wire.from_json(output) for output in step.outputs or ())


def _part(record: Record) -> int:
    return int(dict(record.headers).get("part", b"0"))


def _attempt(record: Record, step: Row[Any]) -> Record:
    """Returns: the record as the step's newest attempt, which alone is worked on."""
    headers = tuple(pair for pair in record.headers if pair[0] != "attempt")
    newest = ("attempt", str(step.attempt).encode())
    # Other readers of a fact do not see it twice.
    return replace(record, topic=topics.again(step.stage), headers=(*headers, newest))
