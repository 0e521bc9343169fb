"""Every metric of the workers, with its unit and what to do when it looks wrong."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

RECORDS: Final = Counter(
    "actionstream_records_total",
    "Records worked off, by stage and outcome. Many `dead`: look at the dead letters' reasons.",
    ("stage", "outcome"),
)
SECONDS: Final = Histogram(
    "actionstream_record_seconds",
    "Seconds from taking a record to being able to acknowledge it, waiting included.",
    ("stage",),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
WAITS: Final = Counter(
    "actionstream_waits_total",
    "Waits in place for a dependency. Rising: that dependency is away or busy.",
    ("dependency",),
)
STOPPED: Final = Gauge(
    "actionstream_stage_stopped",
    "1 for a stage that stopped after many bugs in a row: mend it and restart the worker.",
    ("stage",),
)
MODEL_BREAKER: Final = Gauge(
    "actionstream_model_breaker",
    "Breaker of a model: 0 closed, 1 probing, 2 open. Not 0: `/health` says why.",
    ("model",),
)
MODEL_CALLS: Final = Counter(
    "actionstream_model_calls_total",
    "Calls to a model, by outcome: `answered`, `trouble` (one record's), `down`, or `not tried` "
    "because its breaker was open.",
    ("model", "outcome"),
)
MODEL_CALLS_IN_FLIGHT: Final = Gauge(
    "actionstream_model_calls_in_flight",
    "Calls that a model works on for this worker; ACTIONSTREAM_MODEL_SLOTS at most.",
    ("model",),
)
MODEL_WAITING: Final = Gauge(
    "actionstream_model_calls_waiting",
    "Calls that wait for a slot of a model. Always above 0: the model is the bottleneck.",
    ("model",),
)
RELEASED: Final = Counter(
    "actionstream_batch_documents_released_total",
    "Documents of batches that were let into the pipeline.",
)
BULK_IN_FLIGHT: Final = Gauge(
    "actionstream_batch_documents_in_flight",
    "Documents of all batches that are worked on; ACTIONSTREAM_BULK_IN_FLIGHT at most.",
)
REMOVED: Final = Counter(
    "actionstream_retention_removed_total",
    "Rows of work that ended long ago and of old events that were removed, by table.",
    ("table",),
)
WALKED: Final = Gauge(
    "actionstream_retention_walked_timestamp_seconds",
    "When the removal of old rows last came to the end of a table. More than a day ago: it does "
    "not keep up, or the worker's log says why it fails.",
    ("table",),
)
WEBHOOK_ATTEMPTS: Final = Counter(
    "actionstream_webhook_attempts_total",
    "Attempts at deliveries of webhooks, by outcome: `delivered`, or what was wrong: `not_taken` "
    "(another status), `timeout`, `unreachable`, `broken`, `private_address` and others.",
    ("outcome",),
)
WEBHOOK_SECONDS: Final = Histogram(
    "actionstream_webhook_seconds",
    "Seconds of an attempt at a delivery, from the name to the answer.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
WEBHOOK_RUNS: Final = Gauge(
    "actionstream_webhook_endpoints_in_flight",
    "Endpoints that this worker delivers to now, by kind: `sound`, or `strained` (failing or "
    "slow). Always ACTIONSTREAM_WEBHOOK_SLOTS: more workers deliver more.",
    ("kind",),
)
WEBHOOK_PENDING: Final = Gauge(
    "actionstream_webhook_deliveries_pending",
    "Deliveries that wait, of all endpoints that are not paused; every worker tells all of them. "
    "Rising: endpoints fail, or the workers do not keep up.",
)
WEBHOOK_LAG: Final = Gauge(
    "actionstream_webhook_lag_seconds",
    "For how long the endpoint that has waited longest for its turn is due. Above a few seconds: "
    "too few slots or workers.",
)
WEBHOOK_PAUSED: Final = Gauge(
    "actionstream_webhook_endpoints_paused",
    "Endpoints that are paused; every worker tells all of them.",
)
