"""A request's life in the gateway: ids, one record, then the wait for its row.

The order is what makes it safe: the waiter is registered, the record published, the row read once,
and only then waited. The record on `results` only wakes; the row is the truth.
"""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog

from gateway.database import Row
from gateway.deps import Call
from gateway.errors import KeyReused, MaybePublished, TooLarge, Unavailable
from gateway.queries import requests
from gateway.results import TooManyWaiters, Waiter
from gateway.state import State
from schemas.api.requests import RequestState
from schemas.envelope import Envelope
from schemas.ids import DOCUMENT, REQUEST
from schemas.messages import Message
from schemas.states import FINAL
from schemas.topics import (
    MAX_MESSAGE_BYTES,
    PROCESS_DOCUMENT,
    REPROCESS_DOCUMENT,
    TRY_DOCUMENT_TYPE,
    Topic,
)

DOCUMENT_WORK: Final = frozenset({PROCESS_DOCUMENT, REPROCESS_DOCUMENT, TRY_DOCUMENT_TYPE})
"""Topics of the requests that wait behind other documents, and so bear an expected wait."""

_HEADERS_BYTES: Final = 16 * 1024
"""What the headers of a record take at most."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The ids of a request, known before it is published. `repeated`: under a client's key."""

    request_id: str
    document_id: str
    correlation_id: str
    repeated: bool


@dataclass(frozen=True, slots=True)
class Order:
    """One record to publish for a claim; `document_id` is the document it concerns, if any.

    `unused` is awaited where it turns out that no record is published: what it would have named
    can go.
    """

    topic: Topic[Any]
    key: str
    message: Message
    fingerprint: str
    document_id: str | None
    unused: Callable[[], Awaitable[None]] | None = None


def claim(state: State, call: Call, number: int = 0) -> Claim:
    """Returns: the ids of a call's request (of its file `number`, where it sends several).

    With an idempotency key they derive from it. A request's own id is a key too: it is what a
    client is told to repeat with when it is not known whether the record arrived. Of end users'
    requests it is a key to who made them alone: others could take their place with it.
    """
    gpt_id, key, subject = call.principal.gpt_id, call.idempotency_key, call.principal.subject
    if key is None:
        request_id = state.ids.mint(REQUEST, gpt_id, subject=subject)
    elif (
        number == 0
        and state.ids.verify(key, REQUEST, gpt_id)
        and (subject is None or state.ids.is_of(key, subject))
    ):
        request_id = key
    else:
        place = (number,) if number else ()
        # End users choose their keys without knowing of each other.
        owner = () if subject is None else ("subject", subject)
        named = (call.method, call.route, key, *place, *owner)
        request_id = state.ids.derive(REQUEST, gpt_id, *named, subject=subject)
    return Claim(
        request_id=request_id,
        document_id=state.ids.derive(DOCUMENT, gpt_id, "document", request_id),
        correlation_id=call.correlation_id or request_id,
        repeated=key is not None,
    )


def fingerprint(call: Call, body: Mapping[str, Any]) -> str:
    """Returns: SHA-256 of what was asked, so that a reused key with another body is noticed."""
    whole = {"method": call.method, "route": call.route, "body": body}
    text = json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def check_record(message: Message) -> None:
    """Check that a message fits one record. Raises: TooLarge: it does not."""
    size = len(message.model_dump_json().encode())
    limit = MAX_MESSAGE_BYTES - _HEADERS_BYTES
    if size > limit:
        raise TooLarge(
            f"what is asked has {size} bytes as a record, above the limit of {limit}; "
            "ask it in several calls"
        )


async def submit(
    state: State, call: Call, claimed: Claim, order: Order, default_wait_s: float
) -> RequestState:
    """Publish an order and wait for its result as long as the call wants.

    Returns: the request's state, final or not.

    Raises:
        KeyReused: the idempotency key belongs to another body.
        Unavailable: not published; `MaybePublished` carries the key to repeat with.
    """
    structlog.contextvars.bind_contextvars(
        request_id=claimed.request_id, correlation_id=claimed.correlation_id
    )
    wait_s = default_wait_s if call.wait_s is None else call.wait_s
    deadline = asyncio.get_running_loop().time() + min(wait_s, state.settings.max_wait_s)
    pending = _Pending(state, call, claimed, order)
    try:
        async with state.results.waiter(claimed.request_id) as waiter:
            row = await pending.begin()
            if wait_s > 0:
                if row is None and state.results.ready:
                    # The waiter was there before the record, so nothing can have been missed.
                    await waiter.wait(deadline - asyncio.get_running_loop().time())
                row = await until_final(pending.read, waiter, deadline)
            return pending.shown(row)
    except TooManyWaiters:
        return pending.shown(await pending.begin())


async def until_final(read: Any, waiter: Waiter, deadline: float) -> Row | None:  # noqa: ANN401
    """Returns: the row as soon as it is final, or as it is at the deadline (loop time)."""
    loop = asyncio.get_running_loop()
    row: Row | None = await read()
    while row is None or row["status"] not in FINAL:
        left = deadline - loop.time()
        if left <= 0 or waiter.ended:
            break
        await waiter.wait(left)
        row = await read() or row
    return row


class _Pending:
    """One order on its way."""

    def __init__(self, state: State, call: Call, claimed: Claim, order: Order) -> None:
        self._state = state
        self._call = call
        self._claim = claimed
        self._order = order

    async def begin(self) -> Row | None:
        """Publish the record, unless a repeat finds that the first one's is stored.

        Returns: the row of the first one.
        """
        published = False
        try:
            row = await self.read() if self._claim.repeated else None
            if row is None:
                # Who is cancelled meanwhile does not know whether the record is in the log.
                published = True
                await self._publish()
        except MaybePublished as error:
            key = self._claim.request_id
            raise MaybePublished(error.detail, idempotency_key=key) from error
        except Unavailable:
            published = False
            raise
        finally:
            if not published and self._order.unused is not None:
                await self._order.unused()
        return row

    async def read(self) -> Row | None:
        """Returns: the request's row; none where it is not stored yet or Postgres is away.

        Once the record is in the log the request is accepted, whatever Postgres does.
        """
        principal = self._call.principal
        try:
            row = await requests.find(self._state.asked, principal, self._claim.request_id)
        except Unavailable:
            return None
        if row is not None and row["fingerprint"] not in {None, self._order.fingerprint}:
            raise KeyReused(
                "this idempotency key was used for another request; use a new one for a new body"
            )
        return row

    def shown(self, row: Row | None) -> RequestState:
        """Returns: the row as clients see it, or the state of what was only just accepted."""
        topic = self._order.topic
        found = (
            requests.shown(row)
            if row is not None
            else requests.accepted(
                self._claim.request_id,
                kind=topic.name,
                document_id=self._order.document_id,
                correlation_id=self._claim.correlation_id,
            )
        )
        if topic not in DOCUMENT_WORK or found.status in FINAL:
            return found
        expected_s = self._state.backlog.estimate.expected_wait_s
        return found.model_copy(update={"expected_wait_s": expected_s})

    async def _publish(self) -> None:
        order, principal = self._order, self._call.principal
        envelope = Envelope(
            request_id=self._claim.request_id,
            gpt_id=principal.gpt_id,
            schema_name=order.topic.schema_name,
            subject=principal.subject,
            correlation_id=self._claim.correlation_id,
            fingerprint=order.fingerprint,
            traceparent=self._call.traceparent,
        )
        value = order.message.model_dump_json().encode()
        await self._state.publisher.publish(
            order.topic.name, order.key, value, envelope.to_headers()
        )
