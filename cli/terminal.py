"""What commands write to: a person's terminal, or a file or program that takes lines or JSON."""

import json
from typing import Any, Final

from rich.console import Console

_WIDTH_OF_FILES: Final = 160
"""Columns where there is no terminal to ask."""


def console(*, stderr: bool = False) -> Console:
    """Returns: the console; without a terminal its lines are wide, so that names stay whole."""
    made = Console(stderr=stderr, highlight=False)
    if not made.is_terminal:
        return Console(stderr=stderr, highlight=False, width=_WIDTH_OF_FILES)
    return made


def print_json(value: Any) -> None:  # noqa: ANN401 - any JSON value
    """Print one JSON value for machines: indented, keys as they are, nothing escaped."""
    print(json.dumps(value, indent=2, ensure_ascii=False), flush=True)
