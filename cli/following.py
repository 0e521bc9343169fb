"""What happens, followed by server-sent events: each event once, through any loss of connection."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import httpx2

from cli.client import Refusal
from cli.errors import Failure
from cli.settings import CommandLineSettings

PATH: Final = "/v1/events/stream"
_BUSY: Final = frozenset({429, 503})
_PROBLEM: Final = 400
_RETRY_S: Final = 2.0
_LONGEST_S: Final = 30.0

Event = dict[str, Any]


class Follower:
    """Follows one stream for as long as anybody asks.

    Args:
        settings: the gateway's address and key.
        query: what is wanted, as the gateway takes it.
        transport: stands in for the network in tests.
        sleep: waits so many seconds.
        tell: is told of each loss of the connection.
    """

    def __init__(
        self,
        settings: CommandLineSettings,
        query: dict[str, str],
        *,
        transport: httpx2.BaseTransport | None = None,
        sleep: Callable[[float], object] = time.sleep,
        tell: Callable[[str], object] = lambda said: print(said, file=sys.stderr, flush=True),
    ) -> None:
        self._url = settings.gateway_url.rstrip("/")
        self._query = query
        self._sleep = sleep
        self._tell = tell
        self._place = ""
        self._retry_s = _RETRY_S
        self._lost = 0
        self._client = httpx2.Client(
            base_url=self._url,
            headers={"Authorization": f"Bearer {settings.bearer.get_secret_value()}"},
            timeout=settings.call_timeout_s,
            transport=transport,
            trust_env=False,
        )

    def events(self) -> Iterator[Event]:
        """Yields: each event, for ever; a lost connection is made anew where it was lost.

        Raises:
            Refusal: the gateway will not let it go on, and says why.
            Failure: it does not answer at all to begin with.
        """
        with self._client:
            while True:
                try:
                    yield from self._connected()
                except httpx2.TransportError as error:
                    if not self._place:
                        raise Failure(
                            f"The gateway does not answer at {self._url}: {error}"
                        ) from None
                self._wait()

    def _connected(self) -> Iterator[Event]:
        headers = {"Last-Event-ID": self._place} if self._place else {}
        with self._client.sse(PATH, params=self._query, headers=headers) as source:
            answer = source.response
            if answer.status_code >= _PROBLEM:
                answer.read()
                self._refused(answer)
                return
            for one in source:
                self._lost = 0
                self._place = one.id or self._place
                if one.retry is not None:
                    self._retry_s = one.retry / 1000
                if one.event == "closed":
                    self._closed(json.loads(one.data))
                elif one.data:
                    yield json.loads(one.data)

    def _refused(self, answer: httpx2.Response) -> None:
        """Raises: Refusal: unless it is only busy."""
        try:
            problem = answer.json()
        except ValueError:
            raise Failure(f"{answer.url} answered {answer.status_code} without JSON") from None
        if answer.status_code not in _BUSY:
            raise _refusal(problem)
        self._place = self._place or self._query.get("since", "")
        self._retry_s = float(problem.get("retry_after_s") or _RETRY_S)

    def _closed(self, end: dict[str, Any]) -> None:
        """Raises: Refusal: it is of no use to come back."""
        if not end["reconnect"]:
            raise _refusal(end.get("problem") or {"detail": end["detail"], "code": end["reason"]})

    def _wait(self) -> None:
        pause_s = min(self._retry_s * 2 ** min(self._lost, 5), _LONGEST_S)
        self._lost += 1
        self._tell(f"The connection has ended; going on where it was in {pause_s:.0f} s")
        self._sleep(pause_s)


def _refusal(problem: dict[str, Any]) -> Refusal:
    detail, code = str(problem.get("detail", "")), str(problem.get("code", "error"))
    return Refusal(f"{detail} ({code})", status=int(problem.get("status", 0)), code=code)
