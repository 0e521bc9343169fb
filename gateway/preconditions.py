"""If-Match and If-None-Match (RFC 9110, section 13) where an ETag is a quoted version."""

import re
from typing import Annotated, Final

from fastapi import Header, Query

from gateway.errors import InvalidInput

_VERSION: Final = re.compile(r'"(\d{1,15})"', re.ASCII)

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
IfVersionQuery = Annotated[
    int | None, Query(ge=0, lt=10**15, description="Only if this is its version, else 412.")
]


def etag(version: int) -> str:
    """Returns: the ETag of a version."""
    return f'"{version}"'


def wanted_version(if_version: int | None, if_match: str | None) -> int | None:
    """Returns: the version that the change is to be made on; none where any will do.

    Raises:
        InvalidInput: If-Match is not one ETag, or says another version than if_version.
    """
    if if_match is None or if_match.strip() == "*":
        return if_version
    found = _VERSION.fullmatch(if_match.strip())
    if found is None:
        raise InvalidInput.at("/header/If-Match", 'must be one ETag as it was sent, such as "3"')
    if if_version is not None and if_version != int(found[1]):
        raise InvalidInput.at("/if_version", "says another version than If-Match; send one of them")
    return int(found[1])


def only_if_absent(if_none_match: str | None, *, if_absent: bool) -> bool:
    """Returns: whether a write may only create.

    Raises:
        InvalidInput: If-None-Match is another than `*`.
    """
    if if_none_match is None:
        return if_absent
    if if_none_match.strip() != "*":
        raise InvalidInput.at("/header/If-None-Match", "must be * here: only if there is none yet")
    return True


def is_known(version: int, if_none_match: str) -> bool:
    """Returns: whether a client's ETags name this version; compared weakly, as reads are."""
    if if_none_match.strip() == "*":
        return True
    known = (one.strip().removeprefix("W/") for one in if_none_match.split(","))
    return etag(version) in known
