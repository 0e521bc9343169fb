"""The problem document as HTTP answers it."""

from pydantic import BaseModel, ConfigDict, Field

from schemas.problems import Problem


class RateLimitState(BaseModel):
    """How things stand with the limit that refused a call, as the header RateLimit says it."""

    model_config = ConfigDict(frozen=True)

    policy: str = Field(
        description="Which limit: `key` for all calls of a key, `write` for changes, `ip` for "
        "calls of an address without a valid key."
    )
    limit: int = Field(description="Calls that are allowed in the window, and at once.")
    window_s: int = Field(description="Seconds in which so many calls come back.")
    remaining: int = Field(description="Calls that can be made now.")
    reset_s: int = Field(description="Seconds until the next call is allowed.")


class ApiProblem(Problem):
    """A problem document with what a client needs to try again."""

    retry_after_s: int | None = Field(
        default=None, description="Seconds to wait before trying again, where that can help."
    )
    expected_wait_s: float | None = Field(
        default=None,
        description="Seconds that work accepted now is expected to take, where that is why.",
    )
    rate_limit: RateLimitState | None = Field(
        default=None, description="The limit that refused the call, where one did."
    )
    first: int | None = Field(
        default=None, description="Number of the oldest event kept, where others have expired."
    )
    idempotency_key: str | None = Field(
        default=None,
        description="Repeat the call with this key where it is not known whether it arrived.",
    )
