"""Settings of the gateway."""

from datetime import timedelta
from typing import Annotated

from pydantic import AliasChoices, Field, SecretStr, StringConstraints

from schemas import rate_limits
from schemas.rate_limits import RateLimits
from schemas.settings import (
    KafkaSettings,
    KeySettings,
    ModelSettings,
    SearchSettings,
    SharedSettings,
    StorageSettings,
    WebhookSettings,
)


class GatewaySettings(
    SharedSettings,
    KeySettings,
    WebhookSettings,
    KafkaSettings,
    StorageSettings,
    SearchSettings,
    ModelSettings,
):
    """What the gateway needs to know."""

    key_pepper: SecretStr = Field(
        min_length=32,
        description="Key of the hashes that are kept of API keys; without it none of them is "
        "valid.",
    )
    key_cache: timedelta = Field(
        default=timedelta(seconds=60),
        gt=timedelta(0),
        description="How long a key that was read is valid unread, while news of keys come in.",
    )
    key_outage: timedelta = Field(
        default=timedelta(minutes=15),
        ge=timedelta(0),
        description="How long a key that was read stays valid while Postgres cannot be reached.",
    )
    host: str = Field(default="127.0.0.1", description="Address the gateway listens on.")
    port: int = Field(default=8080, ge=0, le=65535, description="Port the gateway listens on.")
    public_url: (
        Annotated[str, StringConstraints(pattern=r"^https?://[^\s/?#]+[^\s?#]*$")] | None
    ) = Field(
        default=None,
        validation_alias=AliasChoices("ACTIONSTREAM_PUBLIC_URL", "PUBLIC_URL"),
        description="URL under which clients reach it, with a path if a proxy puts one before "
        "all others; every link, document and type of problem begins with it.",
    )
    forwarded_allow_ips: str = Field(
        default="127.0.0.1",
        description="Proxies whose X-Forwarded headers are believed: addresses and networks, "
        "separated by commas; `*` believes everyone.",
    )
    rate_limits: RateLimits = Field(
        default=rate_limits.DEFAULT,
        validation_alias=AliasChoices("ACTIONSTREAM_RATE_LIMITS", "rate_limits"),
        description="Calls of a key, its changes, and calls of an address without a valid key, "
        "each as count/period; `none` switches off. RATE_LIMITS without the prefix counts too.",
    )

    gateway_database_url: SecretStr = Field(
        description="Postgres URL of the role that only reads (postgresql+psycopg://…)."
    )
    gateway_database_pool: int = Field(
        default=10,
        ge=1,
        le=200,
        description="Most Postgres connections of each of a gateway's two pools.",
    )
    statement_timeout: timedelta = Field(
        default=timedelta(seconds=5), description="Longest that Postgres works on one query."
    )
    search_timeout: timedelta = Field(
        default=timedelta(seconds=10), description="Longest that OpenSearch works on one query."
    )
    embed_timeout: timedelta = Field(
        default=timedelta(seconds=2),
        description="Longest wait for a query's vector; past it the search goes by words.",
    )
    storage_timeout: timedelta = Field(
        default=timedelta(seconds=20), description="Longest silence of the object store."
    )
    publish_timeout: timedelta = Field(
        default=timedelta(seconds=8),
        ge=timedelta(seconds=1),
        description="Longest wait for the brokers to acknowledge a request's record.",
    )

    max_expected_wait: timedelta | None = Field(
        default=None,
        gt=timedelta(0),
        description="New work on documents is refused with 503 while it is expected to take longer "
        "than this; always accepted if absent.",
    )
    drain: timedelta = Field(
        default=timedelta(0),
        ge=timedelta(0),
        le=timedelta(minutes=5),
        description="How long it goes on serving after SIGTERM while /ready says 503; longer than "
        "load balancers need to notice.",
    )

    max_streams: int = Field(
        default=2000, ge=1, description="Streams of events open at once; others get 503."
    )
    max_key_streams: int = Field(
        default=100, ge=1, description="Streams of events that one key may have open; 429 beyond."
    )
    event_poll: timedelta = Field(
        default=timedelta(seconds=2),
        ge=timedelta(seconds=1),
        description="How often events are looked for that no record has told of.",
    )
    event_ping: timedelta = Field(
        default=timedelta(seconds=15),
        ge=timedelta(seconds=1),
        description="Longest silence of a stream; proxies close what is silent for longer.",
    )
    event_stall: timedelta = Field(
        default=timedelta(seconds=30),
        ge=timedelta(seconds=1),
        description="A stream is closed whose client has not read, or not acknowledged, for so "
        "long.",
    )
    websocket_origins: str = Field(
        default="",
        description="Origins whose pages may open a WebSocket, separated by commas, beside the "
        "gateway's own; `*` allows all.",
    )

    max_uploads: int = Field(
        default=32,
        ge=1,
        description="Uploads whose bytes come in at once, each of which takes up to 16 MiB of "
        "memory; others get 503.",
    )
    max_upload_bytes: int = Field(
        default=100 * 1024**2, ge=1, description="Largest body of POST /v1/documents."
    )
    max_body_bytes: int = Field(
        default=1024**2, ge=1024, description="Largest body of every other call."
    )
    max_json_upload_bytes: int = Field(
        default=8 * 1024**2, ge=1024, description="Largest JSON body with content_base64."
    )
    max_files: int = Field(default=50, ge=1, le=1000, description="Most files of one upload.")
    max_wait_s: int = Field(
        default=40, ge=0, le=300, description="Longest that a call waits for its result, seconds."
    )
    max_waiters: int = Field(
        default=2000, ge=0, description="Calls that may wait at once; others get 202 at once."
    )
    max_queued_records: int = Field(
        default=10_000, ge=1, description="Records not yet acknowledged; beyond it calls get 503."
    )

    @property
    def public_base(self) -> str:
        """Returns: what links begin with: the public URL without its final slash, or nothing."""
        return (self.public_url or "").rstrip("/")
