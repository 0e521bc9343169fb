"""Documents: lists of them, and one with its timeline."""

from datetime import datetime

from fastapi import APIRouter, Request, Response

from gateway.answers import note_ids
from gateway.deps import CallerDep, SecuredRoute, StateDep
from gateway.documents import known
from gateway.lists import (
    DEFAULT_LIMIT,
    CursorQuery,
    LimitQuery,
    WhereQuery,
    conditions,
    link_next,
)
from gateway.queries import batches, documents
from schemas.api.documents import DocumentDetail, DocumentPage

router = APIRouter(prefix="/v1/documents", tags=["documents"], route_class=SecuredRoute)


@router.get("")
async def list_documents(
    *,
    request: Request,
    response: Response,
    state: StateDep,
    caller: CallerDep,
    where: WhereQuery = None,
    limit: LimitQuery = DEFAULT_LIMIT,
    cursor: CursorQuery = None,
) -> DocumentPage:
    """Lists documents, newest first, by pages; where filters by status, type, fields, metadata."""
    bound = ("documents", caller.gpt_id, caller.subject or "", where or "")
    after = None
    if cursor is not None:
        created_at, document_id = state.cursors.open(cursor, *bound)
        after = (datetime.fromisoformat(created_at), str(document_id))
    found = await documents.page(state.reader, caller, conditions(where), limit, after)
    if not found.has_more:
        return found
    last = found.items[-1]
    position = [last.created_at.isoformat() if last.created_at else "", last.document_id]
    following = state.cursors.seal(position, *bound)
    link_next(request, response, following)
    return found.model_copy(update={"next_cursor": following})


@router.get("/{document_id}")
async def get_document(
    document_id: str, request: Request, response: Response, state: StateDep, caller: CallerDep
) -> DocumentDetail:
    """One document: status, type, fields, confidence, timeline; from the moment its id exists."""
    row = await known(state, caller, document_id)
    if row is None:
        batch_id = await batches.batch_of(state.direct, caller, document_id)
        return documents.accepted(document_id, batch_id)
    note_ids(request, row["correlation_id"], document_id=document_id)
    response.headers["ETag"] = f'"{row["version"]}"'
    return await documents.detail(state.reader, caller, row)
