"""Changes to a document: corrections, deletion, another run. Each is a request of its own."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Request, Response

from gateway.answers import COLLECTION_WAIT_S, succeeded
from gateway.deps import Call, CallDep, SecuredRoute, StateDep
from gateway.documents import check_id, known
from gateway.preconditions import wanted_version
from gateway.state import State
from gateway.submission import Order, claim, fingerprint, submit
from schemas.api.documents import DocumentPatch, ReprocessInput
from schemas.api.requests import RequestState
from schemas.messages import DeleteDocument, ReprocessDocument, UpdateDocument
from schemas.topics import DELETE_DOCUMENT, REPROCESS_DOCUMENT, UPDATE_DOCUMENT, Topic

router = APIRouter(
    prefix="/v1/documents/{document_id}", tags=["documents"], route_class=SecuredRoute
)

_PENDING: Final[dict[int | str, dict[str, Any]]] = {202: {"model": RequestState}}


@router.patch("", responses=_PENDING)
async def update_document(
    *,
    document_id: str,
    body: DocumentPatch,
    request: Request,
    response: Response,
    state: StateDep,
    call: CallDep,
    if_match: Annotated[
        str | None, Header(alias="If-Match", description="Does what if_version does.")
    ] = None,
) -> RequestState:
    """Changes title or metadata, or corrects type or fields; waits 10 s by default.

    The machine's answer is kept beside the correction. 412 if the document is not at if_version.
    """
    message = UpdateDocument(
        document_id=document_id,
        by=call.principal.name,
        title=body.title,
        metadata=body.metadata,
        type=body.type,
        fields=body.fields,
        if_version=wanted_version(body.if_version, if_match),
    )
    found = await _changed(state, call, UPDATE_DOCUMENT, message)
    return succeeded(found, request, response)


@router.delete("", responses=_PENDING)
async def delete_document(
    document_id: str, request: Request, response: Response, state: StateDep, call: CallDep
) -> RequestState:
    """Deletes a document and all that was made of it; waits 10 s by default."""
    message = DeleteDocument(document_id=document_id)
    found = await _changed(state, call, DELETE_DOCUMENT, message)
    return succeeded(found, request, response)


@router.post("/reprocess", responses=_PENDING)
async def reprocess_document(
    *,
    document_id: str,
    body: ReprocessInput | None = None,
    request: Request,
    response: Response,
    state: StateDep,
    call: CallDep,
) -> RequestState:
    """Runs the pipeline over a document again, from the start or a later stage; does not wait.

    Earlier runs are kept. Fails if no run of the document has got as far as from_stage needs.
    """
    state.admission.document_work()
    wanted = body or ReprocessInput()
    message = ReprocessDocument(
        document_id=document_id, type=wanted.type, from_stage=wanted.from_stage
    )
    found = await _changed(state, call, REPROCESS_DOCUMENT, message, default_wait_s=0.0)
    return succeeded(found, request, response)


async def _changed(
    state: State,
    call: Call,
    topic: Topic[Any],
    message: UpdateDocument | DeleteDocument | ReprocessDocument,
    *,
    default_wait_s: float = COLLECTION_WAIT_S,
) -> RequestState:
    document_id = message.document_id
    check_id(state, call.principal, document_id)
    # A repeat gets the first one's answer even where the document is gone by now.
    if call.idempotency_key is None:
        await known(state, call.principal, document_id)
    order = Order(
        topic=topic,
        key=document_id,
        message=message,
        fingerprint=fingerprint(call, message.model_dump(mode="json")),
        document_id=document_id,
    )
    return await submit(state, call, claim(state, call), order, default_wait_s)
