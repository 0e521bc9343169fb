"""Dead letters: what could not be worked off, looked at, sent again or discarded."""

import re
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response

from gateway.answers import COLLECTION_WAIT_S, succeeded
from gateway.deps import Call, CallDep, CallerDep, SecuredRoute, StateDep
from gateway.errors import EmptyChoice, NotFound
from gateway.lists import link_next
from gateway.principal import Principal
from gateway.queries import dead_letters
from gateway.state import State
from gateway.submission import Order, claim, fingerprint, submit
from schemas.api.dead_letters import (
    DeadLetterDetail,
    DeadLetterPage,
    LetterFilter,
    LetterSelection,
)
from schemas.api.requests import RequestState
from schemas.messages import DeadLetterChoice
from schemas.topics import DISCARD_DEAD_LETTERS, REDRIVE_DEAD_LETTERS, Topic

router = APIRouter(prefix="/v1/dead-letters", tags=["dead letters"], route_class=SecuredRoute)

_ID: Final = re.compile(r"dl_[0-9a-f]{32}", re.ASCII)
_PENDING: Final[dict[int | str, dict[str, Any]]] = {202: {"model": RequestState}}


@router.get("")
async def list_dead_letters(
    request: Request,
    response: Response,
    state: StateDep,
    caller: CallerDep,
    wanted: Annotated[LetterFilter, Query()],
) -> DeadLetterPage:
    """Lists what could not be worked off, newest first, with the reason; open ones by default."""
    _check_operator(caller)
    values = wanted.model_dump(mode="json", exclude={"limit", "cursor"})
    bound = ("dead-letters", caller.gpt_id, *(str(value) for value in values.values()))
    after = None
    if wanted.cursor is not None:
        created_at, letter_id = state.cursors.open(wanted.cursor, *bound)
        after = (datetime.fromisoformat(created_at), str(letter_id))
    found = await dead_letters.page(state.reader, caller, wanted, after)
    if not found.has_more:
        return found
    last = found.items[-1]
    following = state.cursors.seal([last.created_at.isoformat(), last.dead_letter_id], *bound)
    link_next(request, response, following)
    return found.model_copy(update={"next_cursor": following})


@router.get("/{dead_letter_id}")
async def get_dead_letter(
    dead_letter_id: str, state: StateDep, caller: CallerDep
) -> DeadLetterDetail:
    """One dead letter: what was wrong, and the record's key, headers and value as it came."""
    return await _known(state, caller, dead_letter_id)


@router.post("/redrive", responses=_PENDING)
async def redrive_dead_letters(
    *,
    body: LetterSelection,
    request: Request,
    response: Response,
    state: StateDep,
    call: CallDep,
) -> RequestState:
    """Sends dead letters to their stages again: those named, or all that fit the conditions.

    Each once, at a bounded rate; the result counts them. Waits 10 s by default.
    """
    found = await _decided(state, call, REDRIVE_DEAD_LETTERS, body)
    return succeeded(found, request, response)


@router.post("/discard", responses=_PENDING)
async def discard_dead_letters(
    *,
    body: LetterSelection,
    request: Request,
    response: Response,
    state: StateDep,
    call: CallDep,
) -> RequestState:
    """Marks dead letters as not to be sent again: those named, or all that fit the conditions.

    They stay readable. Waits 10 s by default.
    """
    found = await _decided(state, call, DISCARD_DEAD_LETTERS, body)
    return succeeded(found, request, response)


@router.post("/{dead_letter_id}/redrive", responses=_PENDING)
async def redrive_dead_letter(
    *,
    dead_letter_id: str,
    request: Request,
    response: Response,
    state: StateDep,
    call: CallDep,
) -> RequestState:
    """Sends one dead letter to its stage again; waits 10 s by default for that to be done.

    The result says if it was skipped. What becomes of the work is its own request's to say.
    """
    found = await _decided_one(state, call, REDRIVE_DEAD_LETTERS, dead_letter_id)
    return succeeded(found, request, response)


@router.post("/{dead_letter_id}/discard", responses=_PENDING)
async def discard_dead_letter(
    *,
    dead_letter_id: str,
    request: Request,
    response: Response,
    state: StateDep,
    call: CallDep,
) -> RequestState:
    """Marks one dead letter as not to be sent again; it stays readable. Waits 10 s by default."""
    found = await _decided_one(state, call, DISCARD_DEAD_LETTERS, dead_letter_id)
    return succeeded(found, request, response)


def _check_operator(principal: Principal) -> None:
    """Check that the caller is not an end user: letters hold records of everyone in the tenant."""
    if principal.subject is not None:
        raise NotFound("dead letters are shown to the tenant's own key only")


async def _known(state: State, principal: Principal, letter_id: str) -> DeadLetterDetail:
    _check_operator(principal)
    known = _ID.fullmatch(letter_id) is not None
    found = await dead_letters.find(state.reader, principal, letter_id) if known else None
    if found is None:
        raise NotFound("there is no such dead letter; check the id")
    return found


async def _decided_one(state: State, call: Call, topic: Topic[Any], letter_id: str) -> RequestState:
    await _known(state, call.principal, letter_id)
    return await _decided(state, call, topic, LetterSelection(ids=[letter_id]))


async def _decided(
    state: State, call: Call, topic: Topic[Any], body: LetterSelection
) -> RequestState:
    _check_operator(call.principal)
    conditions = body.conditions()
    if not body.ids and not conditions:
        raise EmptyChoice("give ids, or at least one of stage, error, since, until and batch_id")
    message: DeadLetterChoice = topic.message(ids=body.ids, by=call.principal.name, **conditions)
    order = Order(
        topic=topic,
        key=call.principal.gpt_id,
        message=message,
        fingerprint=fingerprint(call, message.model_dump(mode="json")),
        document_id=None,
    )
    return await submit(state, call, claim(state, call), order, COLLECTION_WAIT_S)
