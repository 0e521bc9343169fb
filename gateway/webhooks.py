"""Changes of webhooks: one record each, whose answer is the changed row.

A secret is made here, shown once, and goes into the record sealed. A repeat of the request, which
finds the first one's row, is answered without it.
"""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from gateway.answers import ACCEPTED, COLLECTION_WAIT_S, note_ids
from gateway.deps import Call
from gateway.errors import NotFound, RequestFailed
from gateway.principal import Principal
from gateway.queries import webhooks
from gateway.state import State
from gateway.submission import Claim, Order, claim, fingerprint, submit
from schemas import webhook_secrets
from schemas.api.requests import RequestState
from schemas.api.webhooks import IssuedWebhook, Webhook
from schemas.ids import WEBHOOK
from schemas.states import Status
from schemas.topics import CHANGE_WEBHOOK
from schemas.webhook_secrets import Seal
from schemas.webhooks import ChangeWebhook

# Its answer may hold a secret that no cache on the way may keep.
_UNCACHED: Final = {"Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class Target:
    """The endpoint that a call is about."""

    state: State
    call: Call
    claimed: Claim
    webhook_id: str

    @classmethod
    def new(cls, state: State, call: Call) -> Self:
        """Returns: the endpoint that the call makes; a repeat is about the same one."""
        claimed, gpt_id = claim(state, call), call.principal.gpt_id
        webhook_id = state.ids.derive(WEBHOOK, gpt_id, "webhook", claimed.request_id)
        return cls(state, call, claimed, webhook_id)

    @classmethod
    async def of(cls, state: State, call: Call, webhook_id: str) -> Self:
        """Returns: an endpoint of the caller's. Raises: NotFound: there is no such one."""
        check_id(state, call.principal, webhook_id)
        # A repeat gets the first one's answer even where the endpoint is gone by now.
        if call.idempotency_key is None:
            await webhooks.find(state.reader, call.principal, webhook_id)
        return cls(state, call, claim(state, call), webhook_id)

    async def ordered(self, change: Mapping[str, Any], asked: Mapping[str, Any]) -> RequestState:
        """Publish a change and wait for its result.

        `asked` is what the client sent, without the secret and the times that were made here.

        Returns: the request's state: completed, or not final yet.

        Raises:
            RequestFailed: it failed; the client gets its problem as the answer.
        """
        order = Order(
            topic=CHANGE_WEBHOOK,
            key=self.webhook_id,
            message=ChangeWebhook.model_validate({"webhook_id": self.webhook_id, "change": change}),
            fingerprint=fingerprint(self.call, asked),
            document_id=None,
        )
        found = await submit(self.state, self.call, self.claimed, order, COLLECTION_WAIT_S)
        if found.status is Status.FAILED and found.problem is not None:
            raise RequestFailed(found.problem, found.request_id)
        return found

    async def changed(self, change: Mapping[str, Any], request: Request) -> Response:
        """Returns: the answer to a change: the endpoint, or 202 with where to ask."""
        found = await self.ordered(change, change)
        if found.result is None:
            return _shown(found, request, found, ACCEPTED)
        body = Webhook.model_validate(found.result["webhook"])
        return _shown(found, request, body, found.result["status"])

    async def issued(
        self, change: Mapping[str, Any], asked: BaseModel, request: Request, facts: Webhook
    ) -> Response:
        """Give the endpoint a new secret with this change.

        `facts` are what is known of it before the change is stored.

        Returns: the answer, which alone ever has the secret; none in the answer to a repeat.
        """
        settings, secret = self.state.settings, webhook_secrets.mint()
        sealed = Seal.of(settings, settings.id_secret).seal(self.webhook_id, secret)
        whole = {**change, "secret": b64encode(sealed).decode()}
        found = await self.ordered(whole, asked.model_dump(mode="json"))
        text: str | None = webhook_secrets.text(secret)
        status = ACCEPTED
        if found.result is not None:
            facts = Webhook.model_validate(found.result["webhook"])
            status = found.result["status"]
            # Another one is that of the first request, of which this is a repeat.
            if found.result["secret_digest"] != webhook_secrets.digest(sealed):
                text = None
        body = IssuedWebhook(
            **facts.model_dump(),
            secret=text,
            pending=found.result is None,
            request_id=found.request_id,
            status_url=found.status_url,
        )
        return _shown(found, request, body, status)


def check_id(state: State, principal: Principal, webhook_id: str) -> None:
    """Raises: NotFound: the id was never handed out to this tenant."""
    if not state.ids.verify(webhook_id, WEBHOOK, principal.gpt_id):
        raise NotFound("there is no such webhook; check the id")


def _shown(found: RequestState, request: Request, body: BaseModel, status: int) -> Response:
    note_ids(request, found.correlation_id, request_id=found.request_id)
    headers = dict(_UNCACHED)
    if status == ACCEPTED:
        headers |= {"Location": found.status_url, "Retry-After": str(found.retry_after_s)}
    return JSONResponse(body.model_dump(mode="json"), status, headers)
