"""Reads JSON bodies strictly: what is stored must be exactly what was sent, or it is refused.

Names that come twice, NaN and numbers beyond a double, NUL and half surrogate pairs would be lost
or changed on the way; they are errors here, each with its place.
"""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, NoReturn, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from gateway.errors import (
    BodyTooLarge,
    InvalidInput,
    Malformed,
    TooLarge,
    UnsupportedMediaType,
)
from gateway.invalid import invalid_input
from schemas.json_values import MAX_DEPTH, MAX_DIGITS, NotStorable, check
from schemas.writes import MAX_BODY_BYTES

Model = TypeVar("Model", bound=BaseModel)

JSON_KINDS: Final = ("application/json",)

_LONGER: Final = 5
"""How many times longer than it was sent a value may be written: 1e15 has 18 characters then."""


async def read(
    request: Request, model: type[Model], *, kinds: tuple[str, ...] = JSON_KINDS, levels: int = 1
) -> Model:
    """Returns: the body of a call as this model.

    Args:
        request: the call.
        model: what its body is to be.
        kinds: the media types that the call takes.
        levels: of lists and objects that the model puts round what is stored.

    Raises:
        UnsupportedMediaType: it is of none of these kinds.
        Malformed: it is not JSON.
        InvalidInput: it does not fit, or cannot be kept exactly as it is.
    """
    check_kind(request, kinds)
    return fitted(await json_of(request, levels), model)


def fitted(value: Any, model: type[Model]) -> Model:  # noqa: ANN401 - any JSON value
    """Returns: a JSON value as this model. Raises: InvalidInput: it does not fit."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        # As FastAPI's errors, whose places begin with the part of the call.
        raise invalid_input([{**one, "loc": ("body", *one["loc"])} for one in found]) from error


def kind_of(request: Request) -> str:
    """Returns: the media type of a body, in small letters, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def check_kind(request: Request, kinds: tuple[str, ...]) -> None:
    """Check the media type. Raises: UnsupportedMediaType: it is none of these."""
    if kind_of(request) not in kinds:
        raise UnsupportedMediaType(f"send JSON with Content-Type: {' or '.join(kinds)}")


async def json_of(request: Request, levels: int) -> Any:  # noqa: ANN401 - any JSON value
    """Returns: the JSON value of a body, at most 64 levels and `levels` more deep.

    Raises:
        Malformed: it is not JSON.
        InvalidInput: it cannot be kept exactly as it is.
    """
    data = await request.body()
    try:
        value = json.loads(
            data.decode(), parse_constant=_refused_constant, object_pairs_hook=_without_twins
        )
        check(value, depth=MAX_DEPTH + levels)
    except NotStorable as error:
        raise InvalidInput.at(error.pointer, error.detail) from error
    except UnicodeDecodeError as error:
        raise Malformed("the body is not UTF-8; JSON is sent in it") from error
    except RecursionError as error:
        raise InvalidInput.at("", f"nests deeper than {MAX_DEPTH} levels") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise Malformed(f"the body is not JSON: {error.msg} at {place}") from error
    except ValueError as error:
        # Python itself refuses integers of more digits than it is willing to read.
        detail = f"a number of more than {MAX_DIGITS} digits; send a text"
        raise InvalidInput.at("", detail) from error
    return value


async def bounded(request: Request, limit: int) -> bytes:
    """Returns: a JSON body of at most so many bytes, as it came.

    Raises:
        TooLarge: it has more; no more of it than that is read.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise TooLarge(
                f"a JSON body may have {limit} bytes; send larger files as multipart/form-data"
            )
    return bytes(body)


async def check_size(request: Request, body: Mapping[str, Any]) -> None:
    """Check the size of what one object is to hold; the worker checks what becomes of a patch.

    Raises:
        BodyTooLarge: it has more than 256 KiB as JSON.
    """
    if len(await request.body()) * _LONGER <= MAX_BODY_BYTES:
        return
    size = len(json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode())
    if size > MAX_BODY_BYTES:
        raise BodyTooLarge(
            f"the body has {size} bytes of JSON; an object holds at most {MAX_BODY_BYTES}"
        )


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twin = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise NotStorable("", f"the name {twin[:64]!r} comes twice in one object; send it once")
    return found


def _refused_constant(name: str) -> NoReturn:
    raise NotStorable("", f"{name} is not JSON; send null or a text")
