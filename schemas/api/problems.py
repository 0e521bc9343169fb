"""The problem document as HTTP answers it."""

from pydantic import Field

from schemas.problems import Problem


class ApiProblem(Problem):
    """A problem document with what a client needs to try again."""

    retry_after_s: int | None = Field(
        default=None, description="Seconds to wait before trying again, where that can help."
    )
    expected_wait_s: float | None = Field(
        default=None,
        description="Seconds that work accepted now is expected to take, where that is why.",
    )
    idempotency_key: str | None = Field(
        default=None,
        description="Repeat the call with this key where it is not known whether it arrived.",
    )
