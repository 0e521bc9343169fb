"""Administration: the keys of GPTs. A key's text is in the answer that it is made with, only."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request, Response
from pydantic import AwareDatetime

from gateway.administration import changed_key, issued
from gateway.deps import CallDep, SecuredRoute, StateDep
from gateway.errors import InvalidInput
from gateway.lists import DEFAULT_LIMIT, CursorQuery, LimitQuery, link_next
from gateway.queries import tenants
from gateway.routes.admin_gpts import GptPath
from schemas.api.model import LAST_YEAR
from schemas.api.requests import RequestState
from schemas.api.tenants import (
    ApiKeyInput,
    ApiKeyPage,
    IssuedKey,
    KeyFacts,
    RotateInput,
)
from schemas.tenants import KEY_ID_PATTERN, RevokeKey

router = APIRouter(prefix="/v1/admin/gpts/{gpt_id}", tags=["admin"], route_class=SecuredRoute)

_LIST: Final = "admin-keys"
_CHANGED: Final[dict[int | str, dict[str, Any]]] = {202: {"model": RequestState}}
_ISSUED: Final[dict[int | str, dict[str, Any]]] = {202: {"model": IssuedKey}}
_LATEST: Final = datetime(LAST_YEAR, 12, 31, tzinfo=UTC)
KeyPath = Annotated[str, Path(pattern=KEY_ID_PATTERN, description="Id of the key.")]


@router.get("/keys")
async def list_keys(
    *,
    gpt_id: GptPath,
    request: Request,
    response: Response,
    state: StateDep,
    limit: LimitQuery = DEFAULT_LIMIT,
    cursor: CursorQuery = None,
) -> ApiKeyPage:
    """Lists the keys of a GPT, oldest first, with their last use; ended ones too."""
    after = None
    if cursor is None:
        await tenants.gpt(state.reader, gpt_id)
    else:
        created_at, key_id = state.cursors.open(cursor, _LIST, gpt_id)
        after = (datetime.fromisoformat(created_at), str(key_id))
    found = await tenants.keys(state.reader, gpt_id, after, limit)
    if not found.has_more:
        return found
    last = found.items[-1]
    place = [str(last.created_at), last.key_id]
    following = state.cursors.seal(place, _LIST, gpt_id)
    link_next(request, response, following)
    return found.model_copy(update={"next_cursor": following})


@router.post("/keys", status_code=201, response_model=IssuedKey, responses=_ISSUED)
async def create_key(
    *, gpt_id: GptPath, body: ApiKeyInput, request: Request, state: StateDep, call: CallDep
) -> Response:
    """Makes a key; waits 10 s by default. Its text is in this answer and never shown again."""
    _check_ahead(body.expires_at)
    return await issued(
        state=state,
        call=call,
        request=request,
        gpt_id=gpt_id,
        body=body,
        wanted=body.model_dump(),
    )


@router.post("/keys/{key_id}/rotate", status_code=201, response_model=IssuedKey, responses=_ISSUED)
async def rotate_key(
    *,
    gpt_id: GptPath,
    key_id: KeyPath,
    body: RotateInput | None = None,
    request: Request,
    state: StateDep,
    call: CallDep,
) -> Response:
    """Makes a key in the place of another one, which is taken for another hour by default."""
    wanted, now = body or RotateInput(), datetime.now(UTC)
    _check_ahead(wanted.expires_at)
    old = await tenants.key(state.reader, gpt_id, key_id)
    kept = old.model_dump(include={"name", "scopes", "subject"})
    rotation = {
        "replaces": key_id,
        "rate_limits": wanted.rate_limits or old.rate_limits,
        "expires_at": wanted.expires_at or _as_long(old, now),
        "old_ends_at": now + timedelta(seconds=wanted.overlap_s),
    }
    return await issued(
        state=state,
        call=call,
        request=request,
        gpt_id=gpt_id,
        body=wanted,
        wanted=kept | rotation,
    )


@router.delete("/keys/{key_id}", response_model=KeyFacts, responses=_CHANGED)
async def revoke_key(
    *, gpt_id: GptPath, key_id: KeyPath, request: Request, state: StateDep, call: CallDep
) -> Response:
    """Ends a key for good; every gateway refuses it within a second."""
    return await changed_key(state, call, request, gpt_id, RevokeKey(key_id=key_id))


def _check_ahead(expires_at: AwareDatetime | None) -> None:
    if expires_at is not None and expires_at <= datetime.now(UTC):
        raise InvalidInput.at("/expires_at", "must be in the future")


def _as_long(old: KeyFacts, now: datetime) -> datetime | None:
    """Returns: when a key ends that lives from now as long as another one was to."""
    if old.expires_at is None or old.created_at is None:
        return None
    return now + min(old.expires_at - old.created_at, _LATEST - now)
