"""The language of rate limits: `key:60/m,write:10/m,ip:600/5m`, or `none`.

A limit is a token bucket: it holds `count` tokens, so many calls may come at once, and is filled
again at `count` in each period. Gateways share the buckets in `schemas/tables/edge.py`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import AfterValidator, StringConstraints

KEY: Final = "key"
"""Every counted call of a key."""
WRITE: Final = "write"
"""Its calls that change something."""
IP: Final = "ip"
"""Calls without a valid key, by address."""
SCOPES: Final = (KEY, WRITE, IP)
OF_KEYS: Final = (KEY, WRITE)
"""What a key's own limits may name."""
OFF: Final = "none"
DEFAULT: Final = "key:60/m,write:10/m,ip:600/5m"

MAX_COUNT: Final = 10**9
MAX_PERIOD_S: Final = 366 * 86_400
MAX_PER_SECOND: Final = 100_000
"""The times in the buckets have microseconds, of which a token should take some."""

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_LIMIT: Final = re.compile(r"(\d{1,10})/(\d{0,10})([smhd])", re.ASCII)


class BadRateLimits(ValueError):
    """A text that is not in the language; the message names the part that is wrong."""


@dataclass(frozen=True, slots=True)
class Limit:
    """So many calls in each period, and as many at once."""

    count: int
    period_s: int

    @property
    def per_second(self) -> float:
        """Returns: how many tokens come back each second."""
        return self.count / self.period_s


Limits = Mapping[str, Limit | None]
"""A limit for each scope that is named; `None` is no limit."""


def parse(text: str, scopes: tuple[str, ...] = SCOPES) -> Limits:
    """Returns: the limits that a text says. A scope that it does not name is not in there.

    Args:
        text: such as `key:60/m,write:none`; `none` alone switches all off.
        scopes: those that may be named here.

    Raises:
        BadRateLimits: it cannot be read; the message names the part.
    """
    if text.strip() == OFF:
        return dict.fromkeys(scopes)
    found: dict[str, Limit | None] = {}
    for part in text.split(","):
        scope, _, said = part.strip().partition(":")
        if scope not in scopes:
            raise BadRateLimits(f"{part.strip()!r} must begin with one of {_listed(scopes)}")
        if scope in found:
            raise BadRateLimits(f"{part.strip()!r} is the second limit of {scope}")
        found[scope] = None if said.strip() == OFF else _limit(said.strip(), part.strip())
    return found


def _limit(said: str, part: str) -> Limit:
    match = _LIMIT.fullmatch(said)
    if match is None:
        raise BadRateLimits(
            f"{part!r} must have a count, a slash and a period, such as 60/m or 600/5m; units are "
            "s, m, h and d"
        )
    count, number, unit = match.groups()
    limit = Limit(int(count), int(number or 1) * _UNITS[unit])
    if not 1 <= limit.count <= MAX_COUNT:
        raise BadRateLimits(f"the count of {part!r} must be from 1 to {MAX_COUNT}")
    if not 1 <= limit.period_s <= MAX_PERIOD_S:
        raise BadRateLimits(f"the period of {part!r} must be from 1s to 366d")
    if limit.per_second > MAX_PER_SECOND:
        raise BadRateLimits(f"{part!r} is more than {MAX_PER_SECOND} a second; use none")
    return limit


def _listed(scopes: tuple[str, ...]) -> str:
    return ", ".join(f"{scope}:" for scope in scopes)


def _valid(text: str) -> str:
    parse(text)
    return text


def _valid_of_key(text: str) -> str:
    parse(text, OF_KEYS)
    return text


RateLimits = Annotated[str, AfterValidator(_valid)]
"""An installation's limits."""
KeyRateLimits = Annotated[str, StringConstraints(max_length=256), AfterValidator(_valid_of_key)]
"""A key's own limits, which go before the installation's, scope by scope."""
