"""Settings of what consumes, and of the commands that prepare the servers for it."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, model_validator

from schemas.rate_limits import KeyRateLimits
from schemas.settings import (
    EnvironmentSettings,
    KafkaSettings,
    KeySettings,
    LogSettings,
    ModelSettings,
    SearchSettings,
    SharedSettings,
    StorageSettings,
    WebhookSettings,
)
from streams.limits import LimitSettings
from streams.parsing.settings import ParserSettings

HEADROOM = timedelta(seconds=5)
"""How far every hard timeout stays below the rebalance timeout.

A handler that outlives the rebalance is replayed by the next owner, and that one's by the next:
with 3 s and 8 s, two workers replayed four records for ever.
"""


class MetricsSettings(EnvironmentSettings):
    """Where a process that serves no HTTP API tells its metrics."""

    metrics_host: str = Field(
        default="127.0.0.1", description="Address that this process's /metrics listens on."
    )
    metrics_port: int = Field(
        default=0, ge=0, le=65535, description="Port of this process's /metrics; 0 for none."
    )


class ConsumerSettings(LogSettings, KafkaSettings, MetricsSettings):
    """What every member of a consumer group needs to know; the delay consumer needs no more."""

    session_timeout: timedelta = Field(
        default=timedelta(seconds=10), description="After it a dead process's partitions move."
    )


class Settings(
    LimitSettings,
    ParserSettings,
    SharedSettings,
    KeySettings,
    WebhookSettings,
    ConsumerSettings,
    StorageSettings,
    SearchSettings,
    ModelSettings,
):
    """What a worker needs to know."""

    database_url: SecretStr = Field(
        description="Postgres URL of the role that writes (postgresql+psycopg://…)."
    )
    admin_database_url: SecretStr | None = Field(
        default=None, description="Postgres URL of the role that migrates; `migrate` only."
    )
    gateway_database_url: SecretStr | None = Field(
        default=None,
        description="Postgres URL of the gateway's role, which `migrate` makes; `migrate` only.",
    )
    key_pepper: SecretStr | None = Field(
        default=None,
        min_length=32,
        description="Key of the hashes that are kept of API keys, as gateways have it; where keys "
        "are entered only.",
    )
    api_key: SecretStr | None = Field(
        default=None,
        description="A key that `migrate` enters for the tenant `gpt_id`, to read and write.",
    )
    api_key_rate_limits: KeyRateLimits | None = Field(
        default=None,
        description="Rate limits of that key, in the place of the installation's; `migrate` only.",
    )
    admin_key: SecretStr | None = Field(
        default=None,
        description="A key that `migrate` enters for the tenant `admin`, to administer all others.",
    )
    database_pool: int = Field(default=10, ge=2, description="Postgres connections a worker.")

    chat_model: str = Field(
        default="local-extractive", description="Model that classifies and extracts."
    )
    model_slots: int = Field(default=4, ge=1, description="Calls in flight per model and worker.")
    bulk_share: float = Field(
        default=0.75,
        gt=0,
        le=1,
        description="Share of the model's slots and of the parser processes that documents of "
        "batches may hold, at least one; the others are free for documents sent one by one.",
    )
    bulk_in_flight: int = Field(
        default=64,
        ge=1,
        description="Documents of batches that are worked on at once, all tenants and workers "
        "together; the others wait their turn in Postgres, tenants alternating.",
    )
    model_timeout: timedelta = Field(
        default=timedelta(seconds=60), description="Hard limit of one model call."
    )
    breaker_threshold: int = Field(
        default=5,
        ge=1,
        description="Records that fail at a model in a row before its breaker opens: calls then "
        "fail at once and cost no attempt, until a probe succeeds.",
    )
    breaker_pause: timedelta = Field(
        default=timedelta(seconds=5),
        gt=timedelta(0),
        description="How long a breaker stays open before a probe; doubled up to a minute while "
        "probes fail.",
    )
    breaker_probe_timeout: timedelta = Field(
        default=timedelta(seconds=30),
        gt=timedelta(0),
        description="Hard limit of a probe; the model must load in it.",
    )
    model_context_tokens: int = Field(
        default=8192, ge=1024, description="Largest context asked of the chat model."
    )

    rebalance_timeout: timedelta = Field(
        default=timedelta(seconds=90), description="How long a rebalance waits for work in flight."
    )
    grace: timedelta = Field(
        default=timedelta(seconds=10),
        description="How long work in flight may go on after SIGTERM or at a rebalance.",
    )
    lease: timedelta = Field(
        default=timedelta(seconds=15), description="Lease of a step; renewed while it is worked on."
    )
    work_budget: timedelta = Field(
        default=timedelta(seconds=20), description="After it long work is handed on in a new part."
    )
    attempts: int = Field(
        default=5, ge=1, description="Attempts at a record whose own trouble may pass."
    )
    stage_attempts: dict[str, Annotated[int, Field(ge=1)]] = Field(
        default={}, description='Attempts of single stages, as JSON: {"receive": 3}.'
    )
    bugs_in_a_row: int = Field(
        default=10,
        ge=1,
        description="After so many bugs in a row a stage stops, with an alarm, until the worker "
        "is started anew.",
    )
    suspect_crashes: int = Field(
        default=2,
        ge=1,
        description="A record that ended its worker so often is worked on alone, and is a dead "
        "letter after as many crashes alone.",
    )
    redrive_per_second: int = Field(
        default=20, ge=1, description="Dead letters that one request sends again in a second."
    )

    keep_tombstones_days: int = Field(
        default=30,
        ge=1,
        description="How long a deleted object stays in the feed of changes and can be restored.",
    )

    max_webhooks_per_gpt: int = Field(
        default=20, ge=0, description="Endpoints of webhooks that a GPT may have."
    )
    webhook_timeout: timedelta = Field(
        default=timedelta(seconds=10),
        gt=timedelta(0),
        le=timedelta(seconds=60),
        description="Hard limit of one delivery of a webhook, from the name to the answer.",
    )
    webhook_slots: int = Field(
        default=64,
        ge=4,
        description="Endpoints that a worker delivers to at once, one delivery each; those that "
        "fail or are slow get a quarter of them at most.",
    )
    webhook_retry_s: tuple[int, ...] = Field(
        default=(5, 30, 300, 1800, 7200, 18000, 36000, 50400),
        min_length=1,
        description="Seconds between the attempts at a delivery, as JSON, a fifth more or less by "
        "chance; after the last of them it has failed.",
    )
    webhook_hold: int = Field(
        default=3,
        ge=1,
        description="Attempts for which a delivery holds up the later ones of its endpoint, so "
        "that their order is kept; after them it is retried beside them.",
    )
    webhook_pause_after: timedelta = Field(
        default=timedelta(hours=24),
        gt=timedelta(0),
        description="An endpoint that took nothing for so long is paused.",
    )

    event_retention: timedelta = Field(
        default=timedelta(days=30),
        ge=timedelta(days=1),
        description="How long events stay; a tenant's latest one stays longer.",
    )

    fetch_timeout: timedelta = Field(
        default=timedelta(seconds=30), description="Whole time allowed for fetching a link."
    )
    fetch_allowed_networks: tuple[str, ...] = Field(
        default=(), description="Private networks (CIDR) that links may point into all the same."
    )
    reply_topics: tuple[str, ...] = Field(
        default=(), description="Topics beside `results` that `reply-to` may name."
    )
    work_dir: Path | None = Field(
        default=None, description="Folder for files in work; the system's temporary one if absent."
    )

    @model_validator(mode="after")
    def _timeouts_fit(self) -> "Settings":
        limit = self.rebalance_timeout - HEADROOM
        for name in (
            "model_timeout",
            "breaker_probe_timeout",
            "parse_timeout",
            "fetch_timeout",
            "grace",
        ):
            if getattr(self, name) > limit:
                message = (
                    f"{name} must be at least {HEADROOM.seconds} s below rebalance_timeout, or two "
                    "workers would replay each other's records for ever"
                )
                raise ValueError(message)
        return self
