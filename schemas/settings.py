"""Settings that more than one process has; each process's own model inherits them.

Read from the environment with the prefix `ACTIONSTREAM_` and from a `.env` file. Secrets have no
defaults. Nothing here is read before a process builds its settings.
"""

from datetime import timedelta
from typing import Annotated

from pydantic import Field, SecretStr, StringConstraints
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.retention import LONGEST_INPUT


class EnvironmentSettings(BaseSettings):
    """Where every setting comes from."""

    model_config = SettingsConfigDict(
        env_prefix="ACTIONSTREAM_", env_file=".env", extra="ignore", frozen=True
    )


class LogSettings(EnvironmentSettings):
    """What is logged, and how."""

    log_level: str = Field(default="INFO", description="Least level logged: DEBUG to CRITICAL.")
    log_format: Annotated[str, StringConstraints(pattern="^(auto|json|text)$")] = Field(
        default="auto",
        description="`json`, `text`, or `auto`: text on a terminal and JSON elsewhere.",
    )


class SharedSettings(LogSettings):
    """What gateway, workers and the command line all need."""

    id_secret: SecretStr = Field(
        description="Key of the MAC in every id; the same in all processes."
    )
    gpt_id: str = Field(
        default="demo", description="The tenant that `migrate` seeds and that the API key opens."
    )
    request_retention: timedelta = Field(
        default=timedelta(days=40),
        ge=LONGEST_INPUT,
        description="How long requests that have ended stay, with their answers, steps and "
        "idempotency keys, and dead letters that were decided on. Longer than Kafka keeps inputs: "
        "38 days at worst.",
    )


class KeySettings(EnvironmentSettings):
    """How tenants' keys are made and checked."""

    key_env: Annotated[str, StringConstraints(pattern="^[a-z]{2,10}$")] = Field(
        default="live",
        description="What stands in new keys behind `as_`: a label by which people and scanners "
        "tell where a key belongs. Keys that have another one stay valid.",
    )
    previous_key_pepper: SecretStr | None = Field(
        default=None,
        description="The pepper before the present one: keys made under it stay valid while it is "
        "set.",
    )


class WebhookSettings(EnvironmentSettings):
    """How secrets of webhooks are kept, and where webhooks may lead."""

    webhook_key: SecretStr | None = Field(
        default=None,
        min_length=32,
        description="Key under which secrets of webhooks are sealed; one derived from the id "
        "secret if absent.",
    )
    previous_webhook_key: SecretStr | None = Field(
        default=None,
        description="The webhook key before the present one: secrets that were sealed under it "
        "stay readable while it is set.",
    )
    webhook_allowed_networks: tuple[str, ...] = Field(
        default=(),
        description="Private networks (CIDR) that webhooks may lead into all the same; plain http "
        "is allowed there too.",
    )


class KafkaSettings(EnvironmentSettings):
    """How to reach Kafka."""

    kafka_bootstrap: str = Field(
        default="127.0.0.1:19092", description="Brokers as host:port, separated by commas."
    )
    kafka_security_protocol: Annotated[
        str, StringConstraints(pattern="^(PLAINTEXT|SSL|SASL_PLAINTEXT|SASL_SSL)$")
    ] = Field(default="PLAINTEXT", description="Transport and authentication towards the brokers.")
    kafka_sasl_mechanism: str = Field(
        default="SCRAM-SHA-512", description="SASL mechanism, where the protocol has SASL."
    )
    kafka_username: str | None = Field(default=None, description="SASL user name.")
    kafka_password: SecretStr | None = Field(default=None, description="SASL password.")
    kafka_ca_file: str | None = Field(
        default=None, description="File of CA certificates for TLS; the system's own if absent."
    )
    topic_prefix: Annotated[str, StringConstraints(pattern="^[a-zA-Z0-9_-]{0,32}$")] = Field(
        default="", description="Put before every topic and group name; keeps installations apart."
    )
    partitions: int = Field(
        default=8, ge=1, le=512, description="Scale of the topics' partition counts."
    )
    replication_factor: int = Field(
        default=1, ge=1, description="Replicas of each partition; 3 on a cluster."
    )


class StorageSettings(EnvironmentSettings):
    """How to reach the object store (S3)."""

    s3_endpoint: str | None = Field(
        default=None, description="URL of the S3 service; AWS's own if absent."
    )
    s3_region: str = Field(default="us-east-1", description="S3 region.")
    s3_bucket: str = Field(default="actionstream", description="Bucket of the documents' bytes.")
    s3_access_key: SecretStr | None = Field(
        default=None, description="S3 access key; the machine's own credentials if absent."
    )
    s3_secret_key: SecretStr | None = Field(default=None, description="S3 secret key.")


class SearchSettings(EnvironmentSettings):
    """How to reach OpenSearch."""

    opensearch_url: str = Field(
        default="http://127.0.0.1:19200", description="URL of OpenSearch, credentials aside."
    )
    opensearch_username: str | None = Field(default=None, description="OpenSearch user name.")
    opensearch_password: SecretStr | None = Field(default=None, description="Its password.")
    opensearch_ca_file: str | None = Field(
        default=None, description="File of CA certificates for TLS; the system's own if absent."
    )
    index_prefix: Annotated[str, StringConstraints(pattern="^[a-z0-9-]{0,32}$")] = Field(
        default="", description="Put before every index and alias name."
    )


class ModelSettings(EnvironmentSettings):
    """Which models answer, and where."""

    ollama_url: str = Field(
        default="http://127.0.0.1:11434", description="URL of an Ollama API (native, not OpenAI's)."
    )
    embedding_model: str = Field(
        default="local-minilm", description="Model of the vectors; another one makes another index."
    )
    embedding_dimensions: int = Field(
        default=384, ge=1, le=4096, description="Length of that model's vectors."
    )
