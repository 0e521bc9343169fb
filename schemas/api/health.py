"""The state of the gateway and of what it depends on."""

from typing import Literal

from pydantic import Field

from schemas.api.model import Output


class Dependency(Output):
    """One server that the gateway needs."""

    name: str = Field(description="kafka, postgres, opensearch, s3 or models.")
    ok: bool = Field(description="Whether it answered.")
    latency_ms: float = Field(description="How long its answer took, milliseconds.")
    detail: str | None = Field(description="What is wrong, in a word; null if nothing is.")


class Health(Output):
    """Whether calls can be served, and by what."""

    status: Literal["ok", "degraded", "unavailable"] = Field(
        description="degraded: search or models are away; unavailable: requests cannot be taken."
    )
    version: str = Field(description="Version of the gateway.")
    uptime_s: float = Field(description="Seconds since it started.")
    dependencies: list[Dependency]


class Readiness(Output):
    """Whether this gateway should get traffic."""

    ready: bool
    waiting_for: list[str] = Field(description="What is not there yet.")
