"""What can go wrong with streams of events, beside what `gateway/errors.py` draws.

GatewayError
├── EventsExpired          410  events that followed that place are no longer kept
├── UpgradeRequired        426  a path that only speaks WebSocket
├── StreamLimit            429  too many open streams of this key
└── Unavailable
    └── TooManyStreams     503  too many open streams of this gateway
"""

from gateway.errors import GatewayError, Unavailable
from schemas.api.problems import ApiProblem


class EventsExpired(GatewayError):
    """Events that followed a place are no longer kept; `first` is the number of the oldest one."""

    status, code, title = 410, "events_expired", "Events expired"

    def __init__(self, first: int) -> None:
        super().__init__(
            f"what followed is no longer kept; the oldest event is {first}: begin again with "
            "since=0, and look up what you may have missed"
        )
        self.first = first

    def problem(self, instance: str | None = None) -> ApiProblem:
        """Returns: the problem document, with the number of the oldest event that is kept."""
        return super().problem(instance).model_copy(update={"first": self.first})


class UpgradeRequired(GatewayError):
    """The path only speaks WebSocket."""

    status, code, title = 426, "upgrade_required", "Upgrade required"


class StreamLimit(GatewayError):
    """The key has as many open streams as it may have."""

    status, code, title = 429, "stream_limit", "Too many open streams of this key"


class TooManyStreams(Unavailable):
    """As many streams as are allowed are open on this gateway."""

    code, title = "too_many_streams", "Too many open streams"
