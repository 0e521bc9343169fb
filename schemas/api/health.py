"""The state of the gateway, of what it depends on, and of the workers behind it."""

from typing import Literal

from pydantic import Field

from schemas.api.model import Output


class Dependency(Output):
    """One server that the gateway needs."""

    name: str = Field(description="kafka, postgres, opensearch, s3 or models.")
    ok: bool = Field(description="Whether it answered.")
    latency_ms: float = Field(description="How long its answer took, milliseconds.")
    detail: str | None = Field(description="What is wrong, and what helps; null if nothing is.")


class Worker(Output):
    """One worker that has given a sign of life lately."""

    stages: str = Field(description="The set of stages that it works on, such as all.")
    state: Literal["working", "waiting"] = Field(
        description="waiting: it has not begun, because something that it needs is away."
    )
    waiting_for: dict[str, str] = Field(description="What it waits for, and why, by name.")
    stopped_stages: dict[str, str] = Field(
        description="Stages that have stopped after too many bugs in a row, with the last bug."
    )
    version: str | None = Field(description="Its version.")


class Breaker(Output):
    """The circuit breaker before one model: open, calls to it fail at once."""

    model: str = Field(description="Name of the model.")
    used_by: Literal["workers", "search"] = Field(description="Whose breaker it is.")
    state: Literal["closed", "half-open", "open"] = Field(
        description="The worst of all workers; half-open lets one call through as a probe."
    )
    reason: str | None = Field(description="Why it opened; null while it is closed.")


class Backlog(Output):
    """The work that waits, and how long a document that is accepted now will take."""

    waiting_documents: int | None = Field(description="Documents not finished; null if unknown.")
    finished_per_minute: float | None = Field(
        description="How fast they were finished of late while there was work; null if unknown."
    )
    expected_wait_s: float | None = Field(description="An estimate, seconds; null if unknown.")


class Health(Output):
    """Whether calls can be served, and by what."""

    status: Literal["ok", "degraded", "unavailable"] = Field(
        description="degraded: requests are taken, but search, models or workers are not all there;"
        " unavailable: requests cannot be taken."
    )
    detail: list[str] = Field(description="What is wrong, a sentence each; empty if nothing is.")
    version: str = Field(description="Version of the gateway.")
    uptime_s: float = Field(description="Seconds since it started.")
    dependencies: list[Dependency]
    workers: list[Worker] = Field(description="Workers seen within 15 s.")
    models: list[Breaker] = Field(description="The breaker of each model in use.")
    backlog: Backlog


class Readiness(Output):
    """Whether this gateway should get traffic."""

    ready: bool
    waiting_for: list[str] = Field(description="What is not there yet, or why it stops.")
