"""Index an object: what its collection lets a search find of it, each chunk with its vector.

Reads object-saved. Writes OpenSearch, and in objects which version it holds. What is written, or
removed, is what the object is now, whatever version the record names.
"""

from schemas import topics
from schemas.ids import OBJECT, Ids
from schemas.writes import ObjectSaved
from streams.clients.opensearch import SearchIndex
from streams.clients.postgres import Database
from streams.entries import Content
from streams.errors import InvalidMessage
from streams.sources.objects import Objects, noting
from streams.stage import Outcome, Scope, Stage, Work
from streams.targets import Embeds, Targets


def stage(database: Database, models: Embeds, index: SearchIndex, ids: Ids) -> Stage[ObjectSaved]:
    """Returns: the stage."""
    objects = Objects(database)
    # Nobody waits for an object's entries as for a document's, and there may be thousands.
    targets = Targets(database, index, refresh="false")

    async def handle(message: ObjectSaved, work: Work) -> Outcome:
        if not ids.verify(message.object_id, OBJECT, work.gpt_id):
            raise InvalidMessage("foreign_object", "The id is not of an object of this tenant.")
        content = await objects.find(message.object_id)
        while content is not None:
            # The record of a newer version is on its way, unless its collection is not searched
            # any more: then there is none, and this one removes what the index holds.
            if content.version > message.version and content.origin is not None:
                return Outcome()
            await objects.expect(content)
            await targets.put(models, content)
            before, content = content, await objects.find(message.object_id)
            if _same(before, content):
                return Outcome((noting(before),))
        # The row was removed, with its collection or its tenant.
        await targets.forget(message.object_id)
        return Outcome()

    return Stage(
        "index-object",
        topics.OBJECT_SAVED,
        handle,
        scope=Scope.NOTHING,
        request=topics.WRITE_COLLECTION,
    )


def _same(before: Content, now: Content | None) -> bool:
    return now is not None and (now.version, now.origin) == (before.version, before.origin)
