"""What was made of a document: text, fields, chunks, runs; and the original."""

import re
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Header, Query, Request, Response
from starlette.responses import StreamingResponse

from gateway.database import Row
from gateway.deps import CallerDep, SecuredRoute, StateDep
from gateway.documents import known, unstored
from gateway.errors import NotReady
from gateway.lists import CursorQuery, link_next
from gateway.queries import contents
from gateway.queries.requests import ASK_AGAIN_S
from schemas.api.contents import DocumentChunks, DocumentFields, DocumentRuns, DocumentText

router = APIRouter(
    prefix="/v1/documents/{document_id}", tags=["documents"], route_class=SecuredRoute
)

_RANGE: Final = re.compile(r"bytes=(\d{1,15}-\d{0,15}|-\d{1,15})", re.ASCII)
_BINARY: Final[dict[str, Any]] = {
    "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}
}


@router.get("/text")
async def get_document_text(
    *,
    document_id: str,
    request: Request,
    response: Response,
    state: StateDep,
    caller: CallerDep,
    page: Annotated[int, Query(ge=1, le=1_000_000, description="Page to begin with.")] = 1,
    limit: Annotated[int, Query(ge=1, le=200, description="Most pages of an answer.")] = 50,
    cursor: CursorQuery = None,
) -> DocumentText:
    """The text of a document, page by page, with offsets; long ones come in several answers."""
    row = await known(state, caller, document_id) or unstored(document_id)
    bound = ("text", caller.gpt_id, document_id, row["run_id"] or "")
    after = page - 1 if cursor is None else int(state.cursors.open(cursor, *bound)[0])
    found = await contents.text(state.reader, caller, row, limit, after)
    if not found.has_more:
        return found
    following = state.cursors.seal([found.pages[-1].page], *bound)
    link_next(request, response, following)
    return found.model_copy(update={"next_cursor": following})


@router.get("/fields")
async def get_document_fields(
    *,
    document_id: str,
    response: Response,
    state: StateDep,
    caller: CallerDep,
    names: Annotated[
        str | None,
        Query(max_length=1024, description="Only these fields, such as total,date; all if absent."),
    ] = None,
) -> DocumentFields:
    """The fields of a document with place, evidence and confidence, and what people corrected."""
    row = await known(state, caller, document_id)
    found = await contents.fields(state.reader, caller, row or unstored(document_id))
    if row is not None:
        response.headers["ETag"] = f'"{row["version"]}"'
    wanted = {name.strip() for name in (names or "").split(",") if name.strip()}
    return contents.only(found, wanted) if wanted else found


@router.get("/chunks")
async def get_document_chunks(
    *,
    document_id: str,
    request: Request,
    response: Response,
    state: StateDep,
    caller: CallerDep,
    limit: Annotated[int, Query(ge=1, le=50, description="Most chunks of an answer.")] = 25,
    cursor: CursorQuery = None,
) -> DocumentChunks:
    """The parts of a document that search works on, in order, with page and offsets."""
    row = await known(state, caller, document_id) or unstored(document_id)
    bound = ("chunks", caller.gpt_id, document_id, row["run_id"] or "")
    after = -1 if cursor is None else int(state.cursors.open(cursor, *bound)[0])
    found = await contents.chunks(state.reader, caller, row, limit, after)
    if not found.has_more:
        return found
    following = state.cursors.seal([found.items[-1].ordinal], *bound)
    link_next(request, response, following)
    return found.model_copy(update={"next_cursor": following})


@router.get("/runs")
async def get_document_runs(document_id: str, state: StateDep, caller: CallerDep) -> DocumentRuns:
    """Every run of a document, newest first: type, candidates, confidence, models, notices."""
    row = await known(state, caller, document_id) or unstored(document_id)
    return await contents.runs(state.reader, caller, row)


@router.get("/content", response_class=Response, responses={200: _BINARY, 206: _BINARY})
async def get_document_content(
    *,
    document_id: str,
    state: StateDep,
    caller: CallerDep,
    byte_range: Annotated[
        str | None, Header(alias="Range", description="One range of bytes, such as bytes=0-99.")
    ] = None,
    if_range: Annotated[
        str | None, Header(alias="If-Range", description="ETag for which the range is meant.")
    ] = None,
) -> Response:
    """The original file as it was sent, whole or one range of its bytes."""
    row = await known(state, caller, document_id)
    if row is None or row["s3_key"] is None:
        raise NotReady(
            "the original is not stored yet; ask again",
            headers={"Retry-After": str(ASK_AGAIN_S)},
            retry_after_s=ASK_AGAIN_S,
        )
    etag = f'"{row["sha256"]}"'
    wanted = byte_range if if_range in {None, etag} and _RANGE.fullmatch(byte_range or "") else None
    original = await state.storage.get(row["s3_key"], wanted)
    headers = {**_file_headers(row), "Content-Length": str(original.length), "ETag": etag}
    if original.content_range is not None:
        headers["Content-Range"] = original.content_range
    status = 200 if original.content_range is None else 206
    return StreamingResponse(original.chunks, status, headers=headers)


def _file_headers(row: Row) -> dict[str, str]:
    # Always a download and never what the client called it: a page must not run as one of ours.
    name = row["filename"] or row["document_id"]
    plain = re.sub(r"[^A-Za-z0-9._ -]", "_", name)
    return {
        "Content-Type": row["content_type"] or "application/octet-stream",
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name)}",
        "Accept-Ranges": "bytes",
    }
