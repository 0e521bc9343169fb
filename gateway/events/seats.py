"""How many streams there may be: of a gateway, of each key, and of those who have not said who."""

from collections import Counter
from typing import Final

from gateway.events.errors import StreamLimit, TooManyStreams
from gateway.metrics import Metrics
from gateway.settings import GatewaySettings

STRANGERS: Final = 200
"""Sockets that have not authenticated yet; they have a few seconds for it."""

_RETRY_S: Final = 5


class Seats:
    """Counts the streams of one gateway; use it on one event loop."""

    def __init__(self, settings: GatewaySettings, metrics: Metrics) -> None:
        self._most = settings.max_streams
        self._most_of_key = settings.max_key_streams
        self._gauge = metrics.event_streams
        self._taken = 0
        self._strangers = 0
        self._of_keys = Counter[str]()

    def enter(self) -> None:
        """Let a socket in that has not said whose it is. Raises: TooManyStreams."""
        if self._strangers >= STRANGERS or self._taken + self._strangers >= self._most:
            raise _too_many()
        self._strangers += 1

    def leave(self) -> None:
        """Note that a socket has gone, or has said whose it is."""
        self._strangers -= 1

    def take(self, kind: str, key_id: str) -> None:
        """Take a seat for a key's stream.

        Raises:
            TooManyStreams: the gateway has none left.
            StreamLimit: the key has as many as it may have.
        """
        if self._taken >= self._most:
            raise _too_many()
        if self._of_keys[key_id] >= self._most_of_key:
            raise StreamLimit(
                f"the key has {self._most_of_key} open streams on this gateway already; close one, "
                "or follow more in one stream",
                retry_after_s=_RETRY_S,
                headers={"Retry-After": str(_RETRY_S)},
            )
        self._taken += 1
        self._of_keys[key_id] += 1
        self._gauge.labels(kind).inc()

    def give(self, kind: str, key_id: str) -> None:
        """Give a seat back."""
        self._taken -= 1
        self._of_keys[key_id] -= 1
        if not self._of_keys[key_id]:
            del self._of_keys[key_id]
        self._gauge.labels(kind).dec()


def _too_many() -> TooManyStreams:
    return TooManyStreams(
        "as many streams as are allowed are open here; try again", retry_after_s=_RETRY_S
    )
