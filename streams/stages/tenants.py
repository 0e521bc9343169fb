"""Tenants: make, change, disable and delete GPTs; enter, rotate and revoke their keys.

Reads change-gpt, whose sender must be the tenant `admin`. Writes gpts and api_keys; emits
key-changed, by which gateways forget what they know of keys, and gpt-deleted, from which `forget`
goes on. Secrets never come here: a record has a key's hash only.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import topics
from schemas.tenants import (
    ADMIN,
    ChangeGpt,
    CreateGpt,
    CreateKey,
    GptDeleted,
    KeyChanged,
    RevokeKey,
    RotateKey,
)
from streams import failures
from streams.errors import Refused
from streams.stage import BatchStage, Guarded, Output, Taken, Verdict, Work
from streams.tenants import gpts, keys, known
from streams.tenants.known import Decision, Tenant


def stage() -> BatchStage[ChangeGpt]:
    """Returns: the stage."""

    async def change(
        connection: AsyncConnection, taken: Sequence[Taken[ChangeGpt]]
    ) -> list[Verdict]:
        await known.lock(connection, sorted({each.message.gpt_id for each in taken}))
        return [await _verdict(connection, each) for each in taken]

    return BatchStage("tenants", topics.CHANGE_GPT, change)


async def _verdict(connection: AsyncConnection, taken: Taken[ChangeGpt]) -> Verdict:
    message, work = taken.message, taken.work
    try:
        decision = await _decided(connection, message, work)
    except Refused as error:
        return Verdict(
            problem=failures.problem(error.code, error.detail, work.request_id, error.status)
        )
    shown = await known.shown(connection, message.gpt_id, decision.shows)
    what = "gpt" if decision.shows is None else "key"
    return Verdict(
        result={"status": decision.status, what: shown},
        outputs=_outputs(message.gpt_id, decision),
        events=decision.events,
    )


async def _decided(connection: AsyncConnection, message: ChangeGpt, work: Work) -> Decision:
    """Returns: what was decided and done. Raises: Refused: nothing was done."""
    if work.gpt_id != ADMIN:
        raise Refused("forbidden", f"Only the GPT {ADMIN} may change GPTs and keys.", 403)
    found = await known.find(connection, message.gpt_id, _named(message))
    decision = judged(message, found, work.request_id)
    for each in decision.statements:
        if not isinstance(each, Guarded):
            await connection.execute(each)
        elif not (await connection.execute(each.statement)).rowcount:
            raise each.otherwise
    return decision


def _named(message: ChangeGpt) -> tuple[str, ...]:
    match message.change:
        case RotateKey(key_id=new, replaces=old):
            return (new, old)
        case CreateKey(key_id=key_id) | RevokeKey(key_id=key_id):
            return (key_id,)
        case _:
            return ()


def judged(message: ChangeGpt, found: Tenant | datetime | None, request_id: str) -> Decision:
    """Returns: what is to be done. Raises: Refused: it cannot be done, with the reason."""
    change = message.change
    if isinstance(change, CreateGpt):
        return gpts.create(change, message.gpt_id, found)
    if not isinstance(found, Tenant):
        raise Refused("not_found", f"There is no GPT {message.gpt_id}.", 404)
    if isinstance(change, CreateKey | RotateKey | RevokeKey):
        return keys.decide(change, found, request_id)
    return gpts.decide(change, found)


def _outputs(gpt_id: str, decision: Decision) -> list[Output]:
    made = []
    if decision.stale is not None:
        made.append(
            Output(topics.KEY_CHANGED, gpt_id, KeyChanged(gpt_id=gpt_id, key_ids=decision.stale))
        )
    if decision.gone:
        made.append(Output(topics.GPT_DELETED, gpt_id, GptDeleted(gpt_id=gpt_id)))
    return made
