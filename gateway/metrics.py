"""Every metric of the gateway, in one catalogue."""

import math
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 45)


class Metrics:
    """The gateway's metrics in a registry of their own, so that tests can have several."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "actionstream_http_requests",
            "Calls answered, by route template; a rise of 5xx says that a server is away.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "actionstream_http_request_seconds",
            "Time from a call's head to its answer's end, waiting included.",
            ("method", "route"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        # Finding them by their labels takes longer than counting.
        self._of_requests: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self.in_flight = Gauge(
            "actionstream_http_in_flight", "Calls being worked on.", registry=self.registry
        )
        self.key_checks = Counter(
            "actionstream_key_checks",
            "Keys looked up, by what answered: memory, database, or outage (memory, since Postgres "
            "is away). Where most are of the database, see actionstream_key_changes_current.",
            ("source",),
            registry=self.registry,
        )
        self.keys_refused = Counter(
            "actionstream_keys_refused",
            "Calls refused for their key: missing, malformed, unknown, wrong (secret), revoked, "
            "expired, deleted, disabled (GPT), or scope.",
            ("reason",),
            registry=self.registry,
        )
        self.key_changes_current = Gauge(
            "actionstream_key_changes_current",
            "1 while news of revoked keys come in; 0 while keys are read anew for that reason.",
            registry=self.registry,
        )
        self.published = Counter(
            "actionstream_records_published",
            "Records by outcome: acknowledged, refused (not sent), unknown (maybe in the log).",
            ("topic", "outcome"),
            registry=self.registry,
        )
        self.uploaded_bytes = Counter(
            "actionstream_uploaded_bytes",
            "Bytes put in the object store.",
            registry=self.registry,
        )
        self.searches = Counter(
            "actionstream_searches",
            "Searches by the mode that answered; keyword beside a wish for more means no embedder.",
            ("asked", "answered"),
            registry=self.registry,
        )
        self.waiting = Gauge(
            "actionstream_waiting_calls",
            "Calls that wait for a result.",
            registry=self.registry,
        )

        self.event_streams = Gauge(
            "actionstream_event_streams",
            "Open streams of events, by kind: sse, ws, or poll (GET /v1/events that waits).",
            ("kind",),
            registry=self.registry,
        )
        self.events_sent = Counter(
            "actionstream_events_sent",
            "Events handed to clients' connections, by kind of stream.",
            ("kind",),
            registry=self.registry,
        )
        self.event_streams_closed = Counter(
            "actionstream_event_streams_closed",
            "Streams of events that ended, by kind and reason; many of slow_reader mean clients "
            "that do not keep up.",
            ("kind", "reason"),
            registry=self.registry,
        )
        self.event_lag = Histogram(
            "actionstream_event_lag_seconds",
            "Time from an event's commit until a gateway with streams of its tenant has read it; "
            "seconds mean that no records come in and only the regular look finds events.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.expected_wait = Gauge(
            "actionstream_expected_wait_seconds",
            "Estimate of how long a document accepted now will take; NaN while unknown. Where it "
            "stays high, add workers or model slots.",
            registry=self.registry,
        )
        self.backlog = Gauge(
            "actionstream_waiting_documents",
            "Documents accepted and not finished, of all tenants; NaN while unknown.",
            registry=self.registry,
        )
        self.rate_limited = Counter(
            "actionstream_rate_limited",
            "Calls refused with 429, by the limit: key, write or ip.",
            ("limit",),
            registry=self.registry,
        )
        self.rate_limit_takings = Counter(
            "actionstream_rate_limit_takings",
            "Statements that took tokens of the shared buckets; each serves many calls.",
            registry=self.registry,
        )
        self.rate_limit_alone = Counter(
            "actionstream_rate_limit_calls_alone",
            "Calls that this process counted alone, because Postgres did not answer in time.",
            registry=self.registry,
        )
        self.rate_limits_shared = Gauge(
            "actionstream_rate_limits_shared",
            "1 while gateways share their rate limits; 0 while Postgres is away and each counts "
            "alone, which lets each caller have its limits once a gateway.",
            registry=self.registry,
        )

    def count_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one call that was answered, and the seconds that it took."""
        found = self._of_requests.get((method, route, status))
        if found is None:
            found = (
                self.requests.labels(method, route, str(status)),
                self.seconds.labels(method, route),
            )
            self._of_requests[(method, route, status)] = found
        found[0].inc()
        found[1].observe(seconds)

    def count_published(self, topic: str, outcome: str) -> None:
        """Count one record that was published, or was not."""
        self.published.labels(topic, outcome).inc()

    def watch_waiting(self, count: Callable[[], int]) -> None:
        """Show how many calls wait, asked for at each scrape."""
        self.waiting.set_function(count)

    def watch_rate_limits(self, shared: Callable[[], bool]) -> None:
        """Show whether rate limits are shared, asked for at each scrape."""
        self.rate_limits_shared.set_function(lambda: float(shared()))

    def watch_key_changes(self, current: Callable[[], bool]) -> None:
        """Show whether news of keys come in, asked for at each scrape."""
        self.key_changes_current.set_function(lambda: float(current()))

    def watch_backlog(
        self, expected_wait_s: Callable[[], float | None], waiting: Callable[[], int | None]
    ) -> None:
        """Show the estimate, asked for at each scrape."""
        self.expected_wait.set_function(lambda: _number(expected_wait_s()))
        self.backlog.set_function(lambda: _number(waiting()))


def _number(value: float | None) -> float:
    return math.nan if value is None else value
