"""Problem details (RFC 9457), as answered over HTTP and carried in results."""

from pydantic import BaseModel, ConfigDict, Field


class FieldError(BaseModel):
    """What is wrong with one field of the input."""

    model_config = ConfigDict(frozen=True)

    pointer: str = Field(description="Where in the input, as a JSON Pointer (RFC 6901).")
    detail: str = Field(description="What is wrong there and what would be right.")


class Problem(BaseModel):
    """A problem document.

    In rows and records its `type` is `/problems/{name}`; answers put the public URL before it.
    """

    model_config = ConfigDict(frozen=True)

    type: str = Field(description="URI of the kind of problem; its page says what to do.")
    title: str = Field(description="Short name of the kind of problem.")
    status: int = Field(description="The HTTP status that goes with it.")
    detail: str = Field(description="What happened this time, and what to do.")
    code: str = Field(description="Stable machine-readable name of the cause.")
    instance: str | None = Field(default=None, description="URI of the call it concerns.")
    request_id: str | None = Field(default=None, description="The request it concerns.")
    errors: tuple[FieldError, ...] = Field(default=(), description="One entry a wrong field.")
