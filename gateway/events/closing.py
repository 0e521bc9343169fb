"""Why streams end, in the words that clients are told, and the codes of the WebSocket."""

from dataclasses import dataclass
from typing import Any, Final

from gateway.catalogue import sentence
from gateway.errors import GatewayError


@dataclass(frozen=True, slots=True)
class Closing:
    """The end of a stream. `reason` is for programs, `detail` for people; `code` closes a socket.

    `again` says whether it helps to connect anew at the last place; `error` is what went wrong.
    """

    reason: str
    detail: str
    code: int
    again: bool = True
    error: GatewayError | None = None

    def told(self) -> dict[str, Any]:
        """Returns: what a client is told of it, as JSON."""
        said = {"reason": self.reason, "detail": self.detail, "reconnect": self.again}
        if self.error is None:
            return said
        return {**said, "problem": shown(self.error)}


class Closed(Exception):
    """The stream has ended."""

    def __init__(self, closing: Closing) -> None:
        super().__init__(closing.reason)
        self.closing = closing


GONE: Final = Closing("client_gone", "the client has gone", 1000)
OVER: Final = Closing("wait_over", "it was to last so long; go on where it ended", 1000)
DRAINING: Final = Closing(
    "draining", "this gateway is about to stop; go on with another where this one ended", 1012
)
SLOW: Final = Closing(
    "slow_reader", "events were not read, or not acknowledged, in time; go on where you are", 4408
)
IDLE: Final = Closing("idle", "no authentication or subscription came in time", 4408)
_CODES: Final = {400: 4400, 401: 4401, 403: 4403, 410: 4410, 422: 4400, 429: 4429, 503: 4503}


def shown(error: GatewayError) -> dict[str, Any]:
    """Returns: the problem document of an error, as JSON."""
    return error.problem().model_dump(mode="json", exclude_none=True, exclude_defaults=True)


def of(error: GatewayError) -> Closing:
    """Returns: the end that an error makes."""
    return Closing(
        reason=error.code,
        detail=sentence(error.detail),
        code=_CODES.get(error.status, 1011),
        again=error.status in {429, 503},
        error=error,
    )
