"""What can go wrong in the gateway; each error knows the problem document it becomes.

GatewayError
├── Unauthorised           401  no key, or not ours
├── Forbidden              403  the key is ours, and its scopes do not cover this
├── GptDisabled            403  the key is ours, and its GPT takes no calls
├── NotFound               404  no such thing, or not this tenant's
│   └── Deleted            404  it was there; its tombstone is
├── NotReady               409  handed out, but not worked off far enough
├── ChangesExpired         410  what was deleted since then is no longer known
├── PreconditionFailed     412  If-Match or If-None-Match does not hold
├── TooLarge               413  body above the limit
│   └── BodyTooLarge       413  an object's body above its own
├── NotAcceptable          406  the client takes no JSON
├── UnsupportedMediaType   415  neither JSON nor what the call takes
├── RangeNotSatisfiable    416  beyond the end of the file
├── Malformed              400  not JSON, not multipart, a cursor that is none
├── InvalidInput           422  well-formed, but a value is wrong
│   ├── QueryTooSlow       422  no index serves the filter, and there is much to look through
│   └── KeyReused          422  the idempotency key belongs to another body
├── RateLimited            429  too many calls of this key or address
├── RequestFailed          own  the result of a request that was waited for
└── Unavailable            503  a server behind the gateway is away
    ├── QueueFull          503  too many records wait for the brokers
    ├── TookTooLong        503  Postgres worked on one query as long as it may
    ├── Overloaded         503  accepted work would take longer than is allowed
    ├── Busy               503  too many uploads come in already
    └── MaybePublished     503  the record may or may not be in the log
"""

import math
from collections.abc import Sequence
from typing import ClassVar

from gateway.catalogue import sentence, type_uri
from schemas.api.problems import ApiProblem, RateLimitState
from schemas.problems import FieldError, Problem


class GatewayError(Exception):
    """An error that a client sees. `detail` says what happened and what to do."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Internal error"

    def __init__(
        self,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: dict[str, str] | None = None,
        retry_after_s: int | None = None,
        idempotency_key: str | None = None,
        request_id: str | None = None,
        expected_wait_s: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.retry_after_s = retry_after_s
        self.idempotency_key = idempotency_key
        self.request_id = request_id
        self.expected_wait_s = expected_wait_s

    def problem(self, instance: str | None = None) -> ApiProblem:
        """Returns: the problem document, without anything of the server's insides."""
        return ApiProblem(
            type=type_uri(self.code),
            title=self.title,
            status=self.status,
            detail=sentence(self.detail),
            code=self.code,
            instance=instance,
            request_id=self.request_id,
            errors=self.errors,
            retry_after_s=self.retry_after_s,
            idempotency_key=self.idempotency_key,
            expected_wait_s=self.expected_wait_s,
        )


class Unauthorised(GatewayError):
    """No key, or not one of ours."""

    status, code, title = 401, "unauthorised", "Not authorised"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": 'Bearer realm="actionstream"'})


class Forbidden(GatewayError):
    """The key's scopes do not cover this."""

    status, code, title = 403, "forbidden", "Forbidden"


class GptDisabled(GatewayError):
    """The key's GPT is disabled."""

    status, code, title = 403, "gpt_disabled", "GPT disabled"


class NotFound(GatewayError):
    """Nothing there that this key may see."""

    status, code, title = 404, "not_found", "Not found"


class Deleted(NotFound):
    """It was there and has been deleted."""

    code, title = "deleted", "Deleted"


class NotReady(GatewayError):
    """The id is valid, but the work has not got that far."""

    status, code, title = 409, "not_ready", "Not ready yet"


class ChangesExpired(GatewayError):
    """What happened since that number is no longer known in full."""

    status, code, title = 410, "changes_expired", "Changes expired"


class PreconditionFailed(GatewayError):
    """If-Match or If-None-Match does not hold."""

    status, code, title = 412, "version_conflict", "Version conflict"


class TooLarge(GatewayError):
    """The body is above the limit."""

    status, code, title = 413, "too_large", "Too large"


class BodyTooLarge(TooLarge):
    """The body of one object is above the limit."""

    code, title = "body_too_large", "Body too large"


class NotAcceptable(GatewayError):
    """The client takes nothing that the call can answer."""

    status, code, title = 406, "not_acceptable", "Not acceptable"


class UnsupportedMediaType(GatewayError):
    """The body is of a kind that the call does not take."""

    status, code, title = 415, "unsupported_media_type", "Unsupported media type"


class RangeNotSatisfiable(GatewayError):
    """The range begins behind the end of the file."""

    status, code, title = 416, "range_not_satisfiable", "Range not satisfiable"


class Malformed(GatewayError):
    """The input cannot be read at all."""

    status, code, title = 400, "malformed", "Malformed input"


class InvalidInput(GatewayError):
    """The input can be read, but a value in it is wrong."""

    status, code, title = 422, "invalid_input", "Invalid input"

    @classmethod
    def at(cls, pointer: str, detail: str) -> "InvalidInput":
        """Returns: the error of one wrong value."""
        return cls(f"{pointer}: {detail}", errors=[FieldError(pointer=pointer, detail=detail)])


class EmptyFile(InvalidInput):
    """A file without a byte."""

    code, title = "empty_file", "Empty file"


class EmptyChoice(InvalidInput):
    """Nothing was chosen, which would mean everything."""

    code, title = "empty_choice", "Empty choice"


class QueryTooSlow(InvalidInput):
    """No index serves the filter, and the collection is too large to be looked through."""

    code, title = "query_too_slow", "Query too slow"


class KeyReused(InvalidInput):
    """The idempotency key was used with another body."""

    code, title = "idempotency_key_reused", "Idempotency key reused"


class RateLimited(GatewayError):
    """More calls than are allowed; nothing of this one was read."""

    status, code, title = 429, "rate_limited", "Too many requests"

    def __init__(
        self,
        detail: str,
        *,
        retry_after_s: int,
        headers: dict[str, str],
        rate_limit: RateLimitState,
    ) -> None:
        super().__init__(
            detail,
            retry_after_s=retry_after_s,
            headers={"Retry-After": str(retry_after_s), **headers},
        )
        self._rate_limit = rate_limit

    def problem(self, instance: str | None = None) -> ApiProblem:
        """Returns: the problem document, with what the headers say too: GPTs see none."""
        return super().problem(instance).model_copy(update={"rate_limit": self._rate_limit})


class RequestFailed(GatewayError):
    """A request that was waited for failed; its own problem is what the client gets."""

    def __init__(self, problem: Problem, request_id: str) -> None:
        super().__init__(problem.detail, request_id=request_id)
        self._problem = problem

    def problem(self, instance: str | None = None) -> ApiProblem:
        """Returns: the problem that the worker stored."""
        status = self._problem.status if 400 <= self._problem.status <= 599 else 500  # noqa: PLR2004
        kept = self._problem.model_dump(exclude={"status", "request_id", "instance"})
        return ApiProblem(**kept, status=status, request_id=self.request_id, instance=instance)


class Unavailable(GatewayError):
    """A server behind the gateway does not answer; trying again later can help."""

    status, code, title = 503, "unavailable", "Temporarily unavailable"

    def __init__(
        self,
        detail: str,
        *,
        retry_after_s: float = 5,
        idempotency_key: str | None = None,
        expected_wait_s: float | None = None,
    ) -> None:
        seconds = max(1, math.ceil(retry_after_s))
        super().__init__(
            detail,
            retry_after_s=seconds,
            headers={"Retry-After": str(seconds)},
            idempotency_key=idempotency_key,
            expected_wait_s=expected_wait_s,
        )


class QueueFull(Unavailable):
    """Too many records wait for the brokers; nothing was published."""

    code, title = "queue_full", "Too many requests in flight"


class TookTooLong(Unavailable):
    """Postgres worked on one query for as long as it may."""


class Overloaded(Unavailable):
    """So much waits that what is accepted now would take longer than is allowed."""

    code, title = "overloaded", "Overloaded"


class Busy(Unavailable):
    """As many uploads as are allowed come in already; nothing of this one was read."""

    code, title = "busy", "Too many uploads at once"


class MaybePublished(Unavailable):
    """The brokers did not acknowledge in time; the record may be in the log all the same."""

    code, title = "maybe_accepted", "Possibly accepted"
