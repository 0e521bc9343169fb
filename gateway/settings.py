"""Settings of the gateway."""

from datetime import timedelta

from pydantic import Field, SecretStr

from schemas.settings import (
    KafkaSettings,
    ModelSettings,
    SearchSettings,
    SharedSettings,
    StorageSettings,
)


class GatewaySettings(
    SharedSettings, KafkaSettings, StorageSettings, SearchSettings, ModelSettings
):
    """What the gateway needs to know."""

    api_key: SecretStr = Field(
        min_length=16, description="Bearer key that opens the tenant `gpt_id`."
    )
    host: str = Field(default="127.0.0.1", description="Address the gateway listens on.")
    port: int = Field(default=8080, ge=0, le=65535, description="Port the gateway listens on.")
    public_url: str | None = Field(
        default=None, description="URL under which clients reach it, for the OpenAPI document."
    )
    forwarded_allow_ips: str = Field(
        default="127.0.0.1", description="Proxies whose X-Forwarded headers are believed."
    )

    gateway_database_url: SecretStr = Field(
        description="Postgres URL of the role that only reads (postgresql+psycopg://…)."
    )
    gateway_database_pool: int = Field(
        default=10, ge=1, le=200, description="Most Postgres connections of one gateway."
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
