"""Acting as an end user: a key of the whole GPT calls, and the call names whose it is.

From here on the caller is that end user: nothing tells it from one whose key bears the subject.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from fastapi import Request
from pydantic import TypeAdapter, ValidationError
from starlette.types import Scope

from gateway.errors import Forbidden, InvalidInput
from gateway.invalid import invalid_input
from gateway.principal import Principal
from schemas.api.model import SUBJECT
from schemas.api.tenants import Subject

HEADER: Final = "Actionstream-Subject"
_RAW: Final = HEADER.lower().encode()
_ADMIN: Final = "/v1/admin"
_NAME: Final[TypeAdapter[str]] = TypeAdapter(Subject)
_UNREADABLE: Final = "\ufffd"
"""Stands for bytes that are no UTF-8; two end users' names could become the same by it."""

Named = tuple[str, str]
"""A part of the call, and the end user's name in it."""


def of_call(request: Request, principal: Principal, path: str) -> Principal:
    """Returns: who calls the route of this path (its template), as the call names them.

    Raises:
        Forbidden: the key is another end user's.
        InvalidInput: what is named is no end user, or the call can be nobody's, or the parameter
            that names one is misspelt.
    """
    named = in_headers(request.scope)
    if request.scope["query_string"]:
        _check_spelling(request.query_params)
        named += [("query", text) for text in request.query_params.getlist(SUBJECT)]
    if named and path.startswith(_ADMIN):
        detail = "calls under /v1/admin are no end user's; leave it out"
        raise InvalidInput.at(f"/{named[0][0]}/{SUBJECT}", detail)
    return acting(principal, named)


def in_headers(scope: Scope) -> list[Named]:
    """Returns: the end users that the headers of a call name."""
    return [
        # Clients send what is not ASCII as UTF-8, as in a URL.
        ("header", value.decode(errors="replace"))
        for name, value in scope["headers"]
        if name == _RAW
    ]


def acting(principal: Principal, named: Sequence[Named]) -> Principal:
    """Returns: the caller as the end user that is named, where one is.

    Raises:
        Forbidden: the key is another end user's.
        InvalidInput: a text is no end user's name, or two are named.
    """
    if not named:
        return principal
    subjects = {_checked(part, text) for part, text in named}
    if len(subjects) > 1:
        detail = "the call names two end users; leave one of them out"
        raise InvalidInput.at(f"/{named[0][0]}/{SUBJECT}", detail)
    [subject] = subjects
    if principal.subject not in {None, subject}:
        raise Forbidden("the key is another end user's; leave out whom the call is to be for")
    return replace(principal, subject=subject)


def _check_spelling(names: Iterable[str]) -> None:
    # Parameters that nobody knows are ignored elsewhere; here the call would see everybody's.
    for name in names:
        if name != SUBJECT and name.strip().casefold() == SUBJECT:
            detail = f"is misspelt in the query; write the parameter as {SUBJECT}, in small letters"
            raise InvalidInput.at(f"/query/{SUBJECT}", detail)


def _checked(part: str, text: str) -> str:
    place = f"/{part}/{SUBJECT}"
    if _UNREADABLE in text:
        raise InvalidInput.at(place, "is not UTF-8")
    try:
        return _NAME.validate_python(text)
    except ValidationError as error:
        [wrong] = error.errors(include_url=False, include_input=False)
        raise invalid_input([{**wrong, "loc": (part, SUBJECT)}]) from None
