"""What a command says when it cannot do its work: one sentence on stderr, and exit code 1."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer


class Failure(Exception):
    """An expected failure; its message is one sentence that says what is wrong and what to do."""


@contextmanager
def sentences() -> Iterator[None]:
    """Print an expected failure as its sentence, without a traceback, and end with exit code 1."""
    try:
        yield
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr, flush=True)
        raise typer.Exit(1) from None
