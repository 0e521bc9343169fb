"""What happened: as pages, and as a stream for as long as the client stays."""

import asyncio
import contextlib
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query, Request, Response
from starlette.routing import Route, WebSocketRoute

from gateway import writes
from gateway.deps import CallerDep, StateDep
from gateway.events import wanted
from gateway.events.closing import Closed
from gateway.events.errors import StreamLimit, TooManyStreams
from gateway.events.sse import MEDIA_TYPE, EventStream
from gateway.events.wanted import Wanted
from gateway.lean import LeanRoute
from gateway.queries.events import Page
from gateway.state import State
from gateway.websocket.endpoint import Endpoint
from gateway.wire import WEBSOCKET_PATH
from schemas.api.events import MAX_PLACE_CHARS, TYPES_PATTERN, EventItem, EventsPage, StreamEnd

router = APIRouter(prefix="/v1/events", tags=["events"], route_class=LeanRoute)
MODELS: Final = (EventItem, StreamEnd)

TypeQuery = Annotated[
    str | None,
    Query(
        max_length=512,
        pattern=TYPES_PATTERN,
        description="Types, separated by commas, such as `batch.completed,document.*`; all if "
        "absent.",
    ),
]
SubjectQuery = Annotated[
    str | None,
    Query(min_length=1, max_length=128, description="Id of the document, object, … it happened to"),
]
BatchQuery = Annotated[
    str | None, Query(min_length=1, max_length=128, description="Id of the batch it happened in.")
]
LastId = Annotated[str | None, Query(max_length=MAX_PLACE_CHARS)]
LASTS: Final = 3600


@router.get("", response_model=None, responses={200: {"model": EventsPage}})
async def list_events(
    *,
    request: Request,
    state: StateDep,
    caller: CallerDep,
    since: Annotated[
        str,
        Query(
            min_length=1,
            max_length=MAX_PLACE_CHARS,
            description="next_since of the answer before, or the number of an event; 0: from the "
            "oldest that is kept.",
        ),
    ] = "0",
    type: TypeQuery = None,  # noqa: A002 - the parameter's name
    subject_id: SubjectQuery = None,
    batch: BatchQuery = None,
    limit: Annotated[int, Query(ge=1, le=500, description="Most events of an answer.")] = 50,
    wait_s: Annotated[
        float,
        Query(ge=0, le=LASTS, description="Seconds to wait for an event where none is there."),
    ] = 0,
) -> Response:
    """What happened since then, oldest first: steps of documents, batches, objects and more.

    Go on with next_since. 410 where what followed is no longer kept, and `first` says what is.
    """
    chosen = wanted.of(caller.subject, _types(type), subject_id, batch)
    page = await state.events.page(caller, chosen, since, limit)
    is_end = not page.events and page.upto >= page.bounds.last
    if is_end and wait_s and await _come(request, state, chosen, page, wait_s):
        page = await state.events.page(caller, chosen, str(page.upto), limit)
    places = state.events.places_of(caller)
    more = "true" if page.upto < page.bounds.last else "false"
    items = ",".join([event.json for event in page.events])
    text = f'{{"items":[{items}],"next_since":"{places.seal(page.upto)}","has_more":{more}}}'
    return writes.answer(text.encode())


_FRAMES: Final = (
    "retry: 2311\nid: q0Zb3v\n\nid: q0Zb3w\nevent: document.indexed\n"
    'data: {"specversion":"1.0","id":"evt_…","type":"document.indexed",…}\n\n: ping\n\n'
    'event: closed\ndata: {"reason":"draining","detail":"…","reconnect":true}\n\n'
)
_FRAME: Final[dict[str, Any]] = {
    "type": "object",
    "description": "One of the events sent, as its fields.",
    "properties": {
        "id": {"type": "string", "description": "Cursor: the last one is the Last-Event-ID."},
        "event": {"type": "string", "description": "Its type, or `closed`."},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {
                "anyOf": [{"$ref": f"#/components/schemas/{one.__name__}"} for one in MODELS]
            },
        },
        "retry": {"type": "integer", "description": "Milliseconds to wait before coming again."},
    },
}
_STREAM: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "Server-sent events. `id` is a cursor, `event` the type, `data` the event "
        "(schema EventItem). Comments keep the connection; `closed` says why it ends.",
        "content": {MEDIA_TYPE: {"schema": _FRAME, "example": _FRAMES}},
    }
}


@router.get(
    "/stream",
    status_code=200,
    response_model=None,
    response_class=EventStream,
    responses=_STREAM,
)
async def stream_events(
    *,
    request: Request,
    state: StateDep,
    caller: CallerDep,
    since: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=MAX_PLACE_CHARS,
            description="Where to begin, as in list_events; what happens from now on if absent.",
        ),
    ] = None,
    last_event_id: Annotated[
        str | None,
        Query(max_length=MAX_PLACE_CHARS, description="Does what the header Last-Event-ID does."),
    ] = None,
    last_event_id_header: Annotated[
        str | None,
        Header(
            alias="Last-Event-ID",
            max_length=MAX_PLACE_CHARS,
            description="The last id that came: the stream goes on there, whatever since says.",
        ),
    ] = None,
    type: TypeQuery = None,  # noqa: A002 - the parameter's name
    subject_id: SubjectQuery = None,
    batch: BatchQuery = None,
    wait_s: Annotated[
        float | None,
        Query(ge=0, le=LASTS, description="Seconds after which the stream ends; never if absent."),
    ] = None,
) -> Response:
    """What happens, as server-sent events, while the client stays; it goes on where it ended."""
    chosen = wanted.of(caller.subject, _types(type), subject_id, batch)
    stream = await state.events.open(
        "sse",
        caller,
        _token(request),
        chosen,
        since=last_event_id_header or last_event_id or since,
        lasts_s=wait_s,
    )
    return EventStream(state.events, stream)


_ENDPOINT: Final = Endpoint(WEBSOCKET_PATH)
router.routes.append(WebSocketRoute(WEBSOCKET_PATH, _ENDPOINT, name="websocket"))
router.routes.append(Route(WEBSOCKET_PATH, _ENDPOINT, methods=["GET"], include_in_schema=False))


def _types(text: str | None) -> list[str]:
    return text.split(",") if text else []


def _token(request: Request) -> str:
    return request.headers["authorization"].partition(" ")[2].strip()


async def _come(request: Request, state: State, chosen: Wanted, page: Page, wait_s: float) -> bool:
    """Returns: whether something that is wanted has come behind a page within the wait."""
    hub, caller = state.events, request.state.principal
    try:
        stream = await hub.open("poll", caller, _token(request), chosen, since=str(page.upto))
    except (TooManyStreams, StreamLimit):
        return False
    try:
        with contextlib.suppress(TimeoutError, Closed):
            async with asyncio.timeout(min(wait_s, state.settings.max_wait_s)):
                while not await stream.next():
                    stream.moved()
                return True
    finally:
        hub.release(stream)
    return False
