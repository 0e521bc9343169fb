"""Reviews: documents that need a person, least sure first, and what was decided on them."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query, Request, Response

from gateway.answers import COLLECTION_WAIT_S, succeeded
from gateway.deps import CallDep, CallerDep, SecuredRoute, StateDep
from gateway.documents import check_id, known
from gateway.errors import NotFound
from gateway.lists import DEFAULT_LIMIT, CursorQuery, LimitQuery, link_next
from gateway.preconditions import wanted_version
from gateway.queries import reviews
from gateway.submission import Order, claim, fingerprint, submit
from schemas.api.documents import TypeName
from schemas.api.requests import RequestState
from schemas.api.reviews import DecisionInput, Review, ReviewPage
from schemas.messages import DecideReview
from schemas.topics import DECIDE_REVIEW

router = APIRouter(prefix="/v1/reviews", tags=["reviews"], route_class=SecuredRoute)

_LIST: Final = "reviews"
_PENDING: Final[dict[int | str, dict[str, Any]]] = {202: {"model": RequestState}}


@router.get("")
async def list_reviews(
    *,
    request: Request,
    response: Response,
    state: StateDep,
    caller: CallerDep,
    type_name: Annotated[
        TypeName | None, Query(alias="type", description="Only documents of this type.")
    ] = None,
    batch_id: Annotated[
        str | None, Query(max_length=128, description="Only documents of this batch.")
    ] = None,
    limit: LimitQuery = DEFAULT_LIMIT,
    cursor: CursorQuery = None,
) -> ReviewPage:
    """Lists documents that need a person, least sure first, each with its least sure fields."""
    bound = (_LIST, caller.gpt_id, caller.subject or "", type_name or "", batch_id or "")
    after = None
    if cursor is not None:
        confidence, document_id = state.cursors.open(cursor, *bound)
        after = (float(confidence), str(document_id))
    found = await reviews.page(
        state.reader, caller, limit, after, type=type_name, batch_id=batch_id
    )
    if not found.has_more:
        return found
    last = found.items[-1]
    following = state.cursors.seal([last.confidence, last.document_id], *bound)
    link_next(request, response, following)
    return found.model_copy(update={"next_cursor": following})


@router.get("/{review_id}")
async def get_review(
    review_id: str, response: Response, state: StateDep, caller: CallerDep
) -> Review:
    """One document that needs a person; 404 once it was decided on."""
    check_id(state, caller, review_id)
    found = await reviews.find(state.reader, caller, review_id)
    if found is None:
        raise NotFound("this document needs no review, or not yet; look at the document itself")
    response.headers["ETag"] = f'"{found.version}"'
    return found


@router.post("/{review_id}/decision", responses=_PENDING)
async def decide_review(
    *,
    review_id: str,
    body: DecisionInput,
    request: Request,
    response: Response,
    state: StateDep,
    call: CallDep,
    if_match: Annotated[
        str | None, Header(alias="If-Match", description="Does what if_version does.")
    ] = None,
) -> RequestState:
    """Accepts, corrects or rejects what the machine found; waits 10 s by default.

    Corrections are kept beside the machine's answer. 409 if it was decided on or processed anew.
    """
    check_id(state, call.principal, review_id)
    run_id = body.run_id
    # A repeat is answered as the first one was, and the run may be another one by now.
    if run_id is None or call.idempotency_key is None:
        row = await known(state, call.principal, review_id)
        if row is None:
            raise NotFound("this document needs no review yet; look at the document itself")
        run_id = run_id or row["run_id"]
    message = DecideReview(
        document_id=review_id,
        reviewed_run=run_id,
        decision=body.decision,
        by=call.principal.name,
        type=body.type,
        fields=body.fields or {},
        note=body.note,
        if_version=wanted_version(body.if_version, if_match),
    )
    asked = body.model_dump(mode="json", exclude={"run_id"} if body.run_id is None else None)
    order = Order(
        topic=DECIDE_REVIEW,
        key=review_id,
        message=message,
        fingerprint=fingerprint(call, {"review_id": review_id, **asked}),
        document_id=review_id,
    )
    found = await submit(state, call, claim(state, call), order, COLLECTION_WAIT_S)
    return succeeded(found, request, response)
