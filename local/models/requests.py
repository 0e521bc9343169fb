"""The request bodies of Ollama's HTTP API, and how a raw body becomes one.

Unknown keys are ignored and null means absent, as Ollama does; a wrong type is refused.
"""

import base64
import binascii
import json
import re
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)

from local.models.refusal import Refused

DEFAULT_KEEP_ALIVE_S = 300.0
MAX_TOP_LOGPROBS = 20

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_LONGEST_DURATION = 64
_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")


def seconds(value: float | str | None) -> float:
    """Return how long a `keep_alive` asks for; infinity when negative, five minutes when absent.

    A number counts seconds; a string is a duration such as `5m` or `1h30m`.

    Raises:
        ValueError: the string is no duration.
    """
    if value is None:
        return DEFAULT_KEEP_ALIVE_S
    if isinstance(value, str):
        digits = value.removeprefix("-")
        parts = _DURATION.findall(digits[:_LONGEST_DURATION])
        spelt = "".join(number + unit for number, unit in parts)
        if digits != "0" and (not parts or spelt != digits):
            raise ValueError(f"invalid duration {value!r}")
        total = sum(float(number) * _UNITS[unit] for number, unit in parts)
        value = -total if value.startswith("-") else total
    return float("inf") if value < 0 else float(value)


def _known_format(value: str | dict[str, Any] | None) -> str | dict[str, Any] | None:
    """Accept "json", a schema, or nothing."""
    if isinstance(value, str) and value not in {"", "json"}:
        raise ValueError(
            f'invalid format: "{value}"; expected "json" or a valid JSON Schema object'
        )
    return value or None


def _whole(value: object) -> object:
    """Accept 4096.0 where an integer is meant, as Ollama does."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _base64(value: str) -> str:
    """Accept only what decodes as base64."""
    try:
        base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise ValueError("illegal base64 data") from error
    return value


Whole = Annotated[int, BeforeValidator(_whole)]
Format = Annotated[str | dict[str, Any] | None, AfterValidator(_known_format)]


class _Body(BaseModel):
    """A body of which unknown keys are ignored."""

    model_config = ConfigDict(extra="ignore", strict=True)


class Options(_Body):
    """The options that mean something to a model without randomness."""

    num_ctx: Whole | None = None
    num_predict: Whole | None = None
    stop: list[str] | None = None


class Message(_Body):
    """One turn of a conversation."""

    role: str
    content: str | None = None
    images: list[Annotated[str, AfterValidator(_base64)]] | None = None


class _ModelBody(_Body):
    """What every call that runs a model carries."""

    model: str | None = None
    options: Options | None = None
    keep_alive: float | str | None = None

    def keep_alive_s(self) -> float:
        """Return for how many seconds the model is to stay loaded.

        Raises:
            Refused: it is no duration.
        """
        try:
            return seconds(self.keep_alive)
        except ValueError as error:
            raise Refused(400, str(error)) from error


class CompletionBody(_ModelBody):
    """What `/api/chat` and `/api/generate` share."""

    stream: bool | None = None
    format: Format = None
    truncate: bool | None = None
    think: bool | str | None = None
    logprobs: bool | None = None
    top_logprobs: Whole | None = None


class ChatBody(CompletionBody):
    """The body of `/api/chat`."""

    messages: list[Message] | None = None
    tools: list[dict[str, Any]] | None = None


class GenerateBody(CompletionBody):
    """The body of `/api/generate`."""

    prompt: str | None = None
    suffix: str | None = None
    system: str | None = None
    images: list[Annotated[str, AfterValidator(_base64)]] | None = None


class EmbedBody(_ModelBody):
    """The body of `/api/embed`."""

    input: str | list[str] | None = None
    truncate: bool | None = None
    dimensions: Whole | None = None


class EmbeddingsBody(_ModelBody):
    """The body of `/api/embeddings`, the older call."""

    prompt: str | None = None


class ShowBody(_Body):
    """The body of `/api/show`; `name` is the older key."""

    model: str | None = None
    name: str | None = Field(default=None)


Body = TypeVar("Body", bound=BaseModel)


def parse(model: type[Body], raw: bytes) -> Body:
    """Return the body that `raw` holds.

    Raises:
        Refused: 400 when there is none, it is not JSON, or a value has the wrong type.
    """
    if not raw.strip():
        raise Refused(400, "missing request body")
    try:
        return model.model_validate(json.loads(raw))
    except (ValueError, RecursionError) as error:
        if not isinstance(error, ValidationError):
            raise Refused(400, f"invalid JSON: {error}") from error
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise Refused(400, f"cannot use {field or 'the body'}: {first['msg']}") from error
