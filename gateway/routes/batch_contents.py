"""What is in a batch: its documents by pages, and all of their results as one file."""

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import StreamingResponse

from gateway.batches import check_id, check_not_anothers, document_of
from gateway.deps import CallerDep, SecuredRoute, StateDep
from gateway.lists import DEFAULT_LIMIT, CursorQuery, LimitQuery, link_next
from gateway.queries import batch_results, batches
from gateway.queries.batch_results import Wanted
from gateway.result_files import MOST_COLUMNS, csv_lines, json_lines
from schemas.api.batches import EntryKey, EntryPage
from schemas.states import EntryState

router = APIRouter(prefix="/v1/batches/{batch_id}", tags=["batches"], route_class=SecuredRoute)

_MOST_KEYS: Final = 100
_KINDS: Final = {"jsonl": "application/jsonl", "csv": "text/csv; charset=utf-8; header=present"}
_FILES: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The results, one document a line.",
        "content": {
            "application/jsonl": {"schema": {"$ref": "#/components/schemas/BatchResult"}},
            "text/csv": {"schema": {"type": "string"}},
        },
    }
}

StateQuery = Annotated[
    EntryState | None, Query(alias="state", description="Documents in this state only.")
]


@router.get("/documents")
async def list_batch_documents(
    *,
    batch_id: str,
    request: Request,
    response: Response,
    state: StateDep,
    caller: CallerDep,
    entry_state: StateQuery = None,
    keys: Annotated[
        list[EntryKey] | None,
        Query(alias="key", max_length=_MOST_KEYS, description="Only those added with these keys."),
    ] = None,
    limit: LimitQuery = DEFAULT_LIMIT,
    cursor: CursorQuery = None,
) -> EntryPage:
    """Lists the documents of a batch in their order, by pages: state, type, or why it failed."""
    check_id(state, caller, batch_id)
    bound = ("batch-documents", caller.gpt_id, batch_id, entry_state or "", *sorted(keys or ()))
    [after] = [0] if cursor is None else state.cursors.open(cursor, *bound)
    ids = None
    if keys:
        ids = [document_of(state, caller, batch_id, key).document_id for key in keys]
    found = await batches.entries(
        state.direct, caller, batch_id, state=entry_state, ids=ids, limit=limit, after=after
    )
    if not found.items:
        await check_not_anothers(state, caller, batch_id)
    if not found.has_more:
        return found
    following = state.cursors.seal([found.items[-1].ordinal], *bound)
    link_next(request, response, following)
    return found.model_copy(update={"next_cursor": following})


@router.get("/results", response_class=Response, responses=_FILES)
async def get_batch_results(
    *,
    batch_id: str,
    state: StateDep,
    caller: CallerDep,
    file_format: Annotated[
        Literal["jsonl", "csv"],
        Query(alias="format", description="JSON Lines, or CSV with a column for each field."),
    ] = "jsonl",
    entry_state: StateQuery = None,
) -> Response:
    """All documents of a batch with their fields, in their order, as one streamed file.

    CSV has an apostrophe before texts that a spreadsheet would run as formulas.
    """
    check_id(state, caller, batch_id)
    # Nobody asks for a file again and again; whether there is one is to be known before it begins.
    await check_not_anothers(state, caller, batch_id)
    wanted = Wanted(caller, batch_id, entry_state)
    pages = await batch_results.begun(state.direct, wanted)
    if file_format == "csv":
        columns = await batch_results.columns(state.direct, wanted, MOST_COLUMNS)
        lines = csv_lines(pages, columns)
    else:
        lines = json_lines(pages)
    name = f'attachment; filename="{batch_id}.{file_format}"'
    return StreamingResponse(
        lines, media_type=_KINDS[file_format], headers={"Content-Disposition": name}
    )
