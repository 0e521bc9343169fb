"""How a request's state is answered: 200 once final, 202 with where to ask before that."""

from typing import Final

from fastapi import Request, Response

from gateway.errors import RequestFailed
from schemas.api.requests import RequestState
from schemas.states import FINAL, Status

ACCEPTED: Final = 202
COLLECTION_WAIT_S: Final = 10.0
"""How long small changes are waited for by default: they seldom take a second."""


def note_ids(request: Request, correlation_id: str | None, **ids: str | None) -> None:
    """Have the edge echo the correlation id, and log the ids that are not null."""
    if correlation_id is not None:
        request.state.correlation_id = correlation_id
    request.state.log = {name: value for name, value in ids.items() if value is not None}


def answered(state: RequestState, request: Request, response: Response) -> RequestState:
    """Returns: the state, with status, Location and Retry-After set to go with it."""
    note_ids(
        request, state.correlation_id, request_id=state.request_id, document_id=state.document_id
    )
    if state.status not in FINAL:
        response.status_code = ACCEPTED
        response.headers["Location"] = state.status_url
        response.headers["Retry-After"] = str(state.retry_after_s)
    return state


def succeeded(state: RequestState, request: Request, response: Response) -> RequestState:
    """Returns: the state of a change, as `answered` does.

    Raises:
        RequestFailed: it failed; the client gets its problem as the answer.
    """
    answered(state, request, response)
    if state.status is Status.FAILED and state.problem is not None:
        raise RequestFailed(state.problem, state.request_id)
    return state
