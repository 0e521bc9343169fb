"""Administration: GPTs, which are the tenants; and what became of requests to change them."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request, Response

from gateway.administration import changed_gpt, status_url
from gateway.deps import CallDep, CallerDep, PreferHeader, SecuredRoute, StateDep, WaitQuery
from gateway.errors import InvalidInput
from gateway.lists import DEFAULT_LIMIT, CursorQuery, LimitQuery, link_next
from gateway.queries import tenants
from gateway.routes.requests import get_request
from schemas.api.requests import RequestState
from schemas.api.tenants import Gpt, GptInput, GptPage, GptPatch
from schemas.envelope import GPT_ID_PATTERN
from schemas.tenants import ChangeQuotas, CreateGpt, DeleteGpt, DisableGpt, EnableGpt

router = APIRouter(prefix="/v1/admin", tags=["admin"], route_class=SecuredRoute)

_LIST: Final = "admin-gpts"
_CHANGED: Final[dict[int | str, dict[str, Any]]] = {202: {"model": RequestState}}
GptPath = Annotated[str, Path(pattern=GPT_ID_PATTERN, description="Id of the GPT.")]


@router.get("/gpts")
async def list_gpts(
    *,
    request: Request,
    response: Response,
    state: StateDep,
    limit: LimitQuery = DEFAULT_LIMIT,
    cursor: CursorQuery = None,
) -> GptPage:
    """Lists the GPTs by their ids, without the deleted ones."""
    [after] = [None] if cursor is None else state.cursors.open(cursor, _LIST)
    found = await tenants.gpts(state.reader, after, limit)
    if not found.has_more:
        return found
    following = state.cursors.seal([found.items[-1].gpt_id], _LIST)
    link_next(request, response, following)
    return found.model_copy(update={"next_cursor": following})


@router.post("/gpts", status_code=201, response_model=Gpt, responses=_CHANGED)
async def create_gpt(
    *, body: GptInput, request: Request, state: StateDep, call: CallDep
) -> Response:
    """Makes a GPT; waits 10 s by default. 409 if its id was ever given before."""
    change = CreateGpt(
        name=body.name or body.gpt_id, max_objects=body.max_objects, max_bytes=body.max_bytes
    )
    return await changed_gpt(state, call, request, body.gpt_id, change)


@router.get("/gpts/{gpt_id}")
async def get_gpt(gpt_id: GptPath, state: StateDep) -> Gpt:
    """One GPT: its quotas, what it has of them, and whether it is disabled."""
    return await tenants.gpt(state.reader, gpt_id)


@router.patch("/gpts/{gpt_id}", response_model=Gpt, responses=_CHANGED)
async def change_gpt(
    *, gpt_id: GptPath, body: GptPatch, request: Request, state: StateDep, call: CallDep
) -> Response:
    """Changes name and quotas; what is left out stays, a quota of null is the installation's."""
    if not body.model_fields_set:
        raise InvalidInput("give at least one of name, max_objects and max_bytes")
    given = body.model_dump(exclude_unset=True)
    change = ChangeQuotas(**given, given=sorted(given))
    return await changed_gpt(state, call, request, gpt_id, change)


@router.post("/gpts/{gpt_id}/disable", response_model=Gpt, responses=_CHANGED)
async def disable_gpt(
    *, gpt_id: GptPath, request: Request, state: StateDep, call: CallDep
) -> Response:
    """Refuses all keys of a GPT within a second; everything that it has is kept."""
    return await changed_gpt(state, call, request, gpt_id, DisableGpt())


@router.post("/gpts/{gpt_id}/enable", response_model=Gpt, responses=_CHANGED)
async def enable_gpt(
    *, gpt_id: GptPath, request: Request, state: StateDep, call: CallDep
) -> Response:
    """Takes the keys of a disabled GPT again."""
    return await changed_gpt(state, call, request, gpt_id, EnableGpt())


@router.delete("/gpts/{gpt_id}", response_model=Gpt, responses=_CHANGED)
async def delete_gpt(
    *, gpt_id: GptPath, request: Request, state: StateDep, call: CallDep
) -> Response:
    """Ends a GPT's keys and removes all that it has, for good; its id is never given again."""
    return await changed_gpt(state, call, request, gpt_id, DeleteGpt())


@router.get("/requests/{request_id}")
async def get_admin_request(
    *,
    request_id: str,
    request: Request,
    response: Response,
    state: StateDep,
    caller: CallerDep,
    wait_s: WaitQuery = None,
    prefer: PreferHeader = None,
) -> RequestState:
    """The state of a request to change GPTs or keys. wait_s waits for the end."""
    found = await get_request(
        request_id=request_id,
        request=request,
        response=response,
        state=state,
        caller=caller,
        wait_s=wait_s,
        prefer=prefer,
    )
    return found.model_copy(update={"status_url": status_url(found)})
