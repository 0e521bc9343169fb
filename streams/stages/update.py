"""Update: a document's title and metadata, and corrections of its type and fields.

Reads update-document. Writes documents and corrections; emits document-updated. A correction stands
beside the machine's answer, with who made it and when.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql.base import Executable

from schemas import topics
from schemas.events import EventType
from schemas.messages import DocumentUpdated, UpdateDocument
from schemas.states import Status
from schemas.tables import CORRECTIONS, DOCUMENTS, RUNS
from streams import documents, replies
from streams.clients.postgres import Database
from streams.errors import Fenced, Refused
from streams.stage import Claim, Event, Guarded, Outcome, Output, Scope, Stage, Work


def stage(database: Database) -> Stage[UpdateDocument]:
    """Returns: the stage."""

    async def amend(message: UpdateDocument, work: Work) -> Outcome:
        row = await documents.require(database, work.gpt_id, message.document_id)
        types = await documents.document_types(database, work.gpt_id)
        _check(message, types, message.type or row.type)
        machine = await _machine_answer(database, row.run_id)
        changed = {"title": message.title, "metadata": message.metadata, "type": message.type}
        values: dict[str, Any] = {
            "version": DOCUMENTS.c.version + 1,
            "updated_at": func.now(),
            **{name: value for name, value in changed.items() if value is not None},
        }
        if message.fields is not None:
            values["fields"] = _laid_over(row.fields, message.fields)
        # A person has looked at what was corrected.
        if message.fields is not None or message.type is not None:
            values["needs_review"] = False
        expected = row.version if message.if_version is None else message.if_version
        guard = Guarded(
            update(DOCUMENTS)
            .where(DOCUMENTS.c.document_id == message.document_id, DOCUMENTS.c.version == expected)
            .values(**values),
            # Who named no version does not care which one it is: then it is done anew.
            Fenced() if message.if_version is None else _conflict(),
        )
        version = expected + 1
        settled, output = replies.answer(
            work,
            status=Status.COMPLETED,
            result={"document_id": message.document_id, "version": version},
        )
        updated = DocumentUpdated(document_id=message.document_id, version=version)
        return Outcome(
            (guard, *_corrections(message, work, machine), settled),
            (Output(topics.DOCUMENT_UPDATED, message.document_id, updated), output),
            events=(Event(EventType.DOCUMENT_UPDATED, {"version": version}),),
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


def _conflict() -> Refused:
    detail = "The document has changed since that version; read it again and repeat."
    return Refused("version_conflict", detail, 412)


def _check(message: UpdateDocument, types: Mapping[str, Any], type_name: str | None) -> None:
    if message.type is not None and message.type not in types:
        known = ", ".join(sorted(types))
        raise Refused("unknown_type", f"There is no type of that name; there are {known}.", 422)
    if message.fields is None:
        return
    known_type = types.get(type_name or "")
    properties = known_type.fields.properties if known_type is not None else {}
    unknown = sorted(set(message.fields) - set(properties))
    if unknown:
        detail = f"The type has no field {', '.join(unknown)}."
        raise Refused("unknown_field", detail, 422)


async def _machine_answer(database: Database, run_id: str | None) -> dict[str, Any]:
    query = select(RUNS.c.fields, RUNS.c.type).where(RUNS.c.run_id == run_id)
    async with database.transaction() as connection:
        row = (await connection.execute(query)).one_or_none()
    return {} if row is None else {**(row.fields or {}), "type": row.type}


def _laid_over(
    fields: Mapping[str, JsonValue], corrected: Mapping[str, JsonValue]
) -> dict[str, JsonValue]:
    """Returns: the effective fields; a correction to null takes a field away."""
    return {name: value for name, value in {**fields, **corrected}.items() if value is not None}


def _corrections(
    message: UpdateDocument, work: Work, machine: Mapping[str, Any]
) -> list[Executable]:
    corrected: dict[str, JsonValue] = dict(message.fields or {})
    if message.type is not None:
        corrected["type"] = message.type
    if not corrected:
        return []
    rows = [
        {
            "request_id": work.request_id,
            "name": name,
            "gpt_id": work.gpt_id,
            "document_id": message.document_id,
            "value": value,
            "machine_value": machine.get(name),
            "corrected_by": message.by,
        }
        for name, value in corrected.items()
    ]
    return [insert(CORRECTIONS).values(rows).on_conflict_do_nothing()]
