"""Update: a document's title and metadata, and corrections of its type and fields.

Reads update-document. Writes documents and corrections; emits document-updated. A correction stands
beside the machine's answer, with who made it and when.
"""

from typing import Any

from pydantic import JsonValue
from sqlalchemy import select

from schemas import topics
from schemas.events import EventType
from schemas.messages import DocumentUpdated, UpdateDocument
from schemas.states import Status
from schemas.tables import RUNS
from streams import corrections, documents, replies
from streams.clients.postgres import Database
from streams.stage import Claim, Event, Outcome, Output, Scope, Stage, Work


def stage(database: Database) -> Stage[UpdateDocument]:
    """Returns: the stage."""

    async def amend(message: UpdateDocument, work: Work) -> Outcome:
        row = await documents.asked_for(database, work, message.document_id)
        types = await documents.document_types(database, work.gpt_id)
        corrections.check(message.fields, message.type, types, row.type)
        machine = await _machine_answer(database, row.run_id)
        changed = {"title": message.title, "metadata": message.metadata, "type": message.type}
        values: dict[str, Any] = {
            name: value for name, value in changed.items() if value is not None
        }
        if message.fields is not None:
            values["fields"] = corrections.laid_over(row.fields, message.fields)
        # A person has looked at what was corrected.
        if message.fields is not None or message.type is not None:
            values["needs_review"] = False
        guard, version = documents.changed(row, message.if_version, values)
        settled, output = replies.answer(
            work,
            status=Status.COMPLETED,
            result={"document_id": message.document_id, "version": version},
        )
        given = corrections.given(message.fields, message.type)
        corrected = corrections.entries(work, message.document_id, message.by, given, machine)
        events = [Event(EventType.DOCUMENT_UPDATED, {"version": version}, batch_id=row.batch_id)]
        if given:
            names: list[JsonValue] = [*sorted(given)]
            told: dict[str, JsonValue] = {"version": version, "fields": names}
            events.append(Event(EventType.DOCUMENT_CORRECTED, told, batch_id=row.batch_id))
        updated = DocumentUpdated(document_id=message.document_id, version=version)
        return Outcome(
            (guard, *corrected, settled),
            (Output(topics.DOCUMENT_UPDATED, message.document_id, updated), output),
            events=events,
            moved=() if message.type is None else (message.document_id,),
        )

    return Stage(
        "update",
        topics.UPDATE_DOCUMENT,
        amend,
        claim=Claim.AT_COMMIT,
        scope=Scope.REQUEST,
        ordered=True,
    )


async def _machine_answer(database: Database, run_id: str | None) -> dict[str, Any]:
    query = select(RUNS.c.fields, RUNS.c.type).where(RUNS.c.run_id == run_id)
    async with database.transaction() as connection:
        row = (await connection.execute(query)).one_or_none()
    return {} if row is None else {**(row.fields or {}), "type": row.type}
