"""If-Match and If-None-Match (RFC 9110, section 13) where an ETag is a quoted version.

Writes are judged in the stage, where the order is known; here they become what its records say.
"""

import re
from typing import Annotated, Final

from fastapi import Header, Query, Request

from gateway.errors import InvalidInput, PreconditionFailed

_VERSION: Final = re.compile(r'"(\d{1,15})"', re.ASCII)
_ETAG: Final = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_ANY: Final = "*"
NEVER: Final = 0
"""A version that nothing has; they begin with 1."""

IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        description="Does what if_version does.",
        max_length=256,
        json_schema_extra={"pattern": r"^(\*|\"[0-9]{1,15}\")$"},
    ),
]
IfNoneMatch = Annotated[
    str | None,
    Header(
        alias="If-None-Match",
        description="An ETag that you have: 304 if it is still the present one.",
        max_length=1024,
    ),
]
IfNone = Annotated[
    str | None,
    Header(
        alias="If-None-Match",
        description="`*` does what if_absent does.",
        max_length=1024,
        json_schema_extra={"pattern": r"^\*$"},
    ),
]
IfNoneHasKey = Annotated[
    str | None,
    Header(
        alias="If-None-Match",
        description="`*`: only if no object has its key, else 412.",
        max_length=1024,
        json_schema_extra={"pattern": r"^\*$"},
    ),
]
IfVersionQuery = Annotated[
    int | None, Query(ge=0, lt=10**15, description="Only if this is its version, else 412.")
]


def etag(version: int) -> str:
    """Returns: the ETag of a version."""
    return f'"{version}"'


def wanted_version(if_version: int | None, if_match: str | None) -> int | None:
    """Returns: the version that the change is to be made on; none where any will do.

    An ETag that is none of ours, a weak one too, is that of no version: `NEVER`.

    Raises:
        InvalidInput: If-Match is not one ETag, or says another version than if_version.
    """
    if if_match is None or if_match.strip() == _ANY:
        return if_version
    found = _VERSION.fullmatch(if_match.strip())
    if found is None and _ETAG.fullmatch(if_match.strip()) is None:
        raise InvalidInput.at("/header/If-Match", 'must be one ETag as it was sent, such as "3"')
    version = NEVER if found is None else int(found[1])
    if if_version is not None and if_version != version:
        raise InvalidInput.at("/if_version", "says another version than If-Match; send one of them")
    return version


def only_if_there(if_match: str | None, *, if_exists: bool = False) -> bool:
    """Returns: whether a write may only change what is there, in whatever version."""
    return if_exists or (if_match is not None and if_match.strip() == _ANY)


def only_if_absent(if_none_match: str | None, *, if_absent: bool = False) -> bool:
    """Returns: whether a write may only create.

    Raises:
        InvalidInput: If-None-Match is another than `*`.
    """
    if if_none_match is None:
        return if_absent
    if if_none_match.strip() != _ANY:
        raise InvalidInput.at("/header/If-None-Match", "must be * here: only if there is none yet")
    return True


def refuse_if_none_match(request: Request) -> None:
    """Have a call that changes only what is there refuse If-None-Match.

    Raises:
        PreconditionFailed: it was sent.
    """
    _refuse(
        request,
        "If-None-Match",
        "asks for this only where there is nothing, and this call changes what is there; leave it "
        "out, or use If-Match",
    )


def refuse_if_match(request: Request) -> None:
    """Have a call that makes something new refuse If-Match.

    Raises:
        PreconditionFailed: it was sent.
    """
    _refuse(
        request,
        "If-Match",
        "asks for this only where there is something already, and this call makes an object anew; "
        "leave it out, or PUT the object by its key or id",
    )


def _refuse(request: Request, header: str, reason: str) -> None:
    if header in request.headers:
        raise PreconditionFailed(f"{header} {reason}")


def refuse_conditions(request: Request) -> None:
    """Have a batch refuse conditions, which would be those of no one of its operations.

    Raises:
        InvalidInput: If-Match or If-None-Match was sent.
    """
    for header, twins in (("If-Match", "if_version or if_exists"), ("If-None-Match", "if_absent")):
        if header in request.headers:
            detail = f"a batch has no version; leave it out, and give its operations {twins}"
            raise InvalidInput.at(f"/header/{header}", detail)


def check_read(version: int, if_match: str | None) -> None:
    """Check the condition of a read.

    Raises:
        PreconditionFailed: If-Match names other versions than this one.
    """
    if if_match is None or if_match.strip() == _ANY:
        return
    # Strongly, so that a weak ETag matches nothing.
    if etag(version) not in (one.strip() for one in if_match.split(",")):
        raise PreconditionFailed(f"it is in version {version}, which If-Match does not name")


def is_known(version: int, if_none_match: str) -> bool:
    """Returns: whether a client's ETags name this version; compared weakly, as reads are."""
    if if_none_match.strip() == _ANY:
        return True
    known = (one.strip().removeprefix("W/") for one in if_none_match.split(","))
    return etag(version) in known
