"""Links and kinds of problems as answers name them: under the public URL, where there is one.

Rows and records name a kind of problem by `/problems/{name}` alone, which is the same wherever the
gateway is reached from. The public URL comes before it here, when it is answered.
"""

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final

from schemas.problems import Problem

_BASE: Final = ContextVar("public_base", default="")


def begin(base: str) -> None:
    """Have what this call answers begin with a URL, which has no final slash, or with nothing.

    It belongs to the call, as what logs are bound to does: were it an argument, every query and
    every error would have to hand it on.
    """
    _BASE.set(base)


def link(path: str) -> str:
    """Returns: the link to a path of this gateway."""
    return _BASE.get() + path


def named(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Returns: the JSON of a problem that a worker stored, its kind as a link."""
    return {**stored, "type": link(stored["type"])}


def problem(stored: Mapping[str, Any] | None) -> Problem | None:
    """Returns: a problem that a worker stored, its kind as a link; none if there is none."""
    return None if stored is None else Problem.model_validate(named(stored))
