"""The child process of the parser pool: takes jobs from its connection, one at a time, and answers.

PDFium is not thread-safe and can crash, and any parser can hang or eat memory on a hostile file;
here that costs one process and one call.
"""

import contextlib
import math
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Protocol

from streams.parsing.bout import PageReader
from streams.parsing.drawing import draw_pages
from streams.parsing.errors import CrashReason, ParserCrashed, ParserFailed, Unparsable
from streams.parsing.limits import Limits
from streams.parsing.page import ParsedPart
from streams.parsing.parse import parse_part

ReaderFactory = Callable[[], PageReader | None]
"""Opens the OCR engine in the child; a module's function, or a partial of one, as it is pickled."""

LAST_RESORT_S = 5
"""How long after its hard timeout a child ends itself, should its parent not be there to do it."""


class Job(Protocol):
    """What a child is asked to do, and the hard limit of its time; it crosses as a pickle."""

    timeout_s: float

    def run(self, reader: PageReader | None) -> Any:  # noqa: ANN401 - each job has its own result
        """Do it."""


@dataclass(slots=True)
class ParseJob:
    """One call of `parse_part`."""

    path: Path
    content_type: str
    first_page: int
    budget_s: float
    timeout_s: float
    limits: Limits

    def run(self, reader: PageReader | None) -> ParsedPart:
        """Parse; errors as of `parse_part`."""
        return parse_part(
            self.path,
            self.content_type,
            first_page=self.first_page,
            budget_s=self.budget_s,
            limits=self.limits,
            reader=reader,
        )


@dataclass(slots=True)
class DrawJob:
    """One call of `draw_pages`."""

    path: Path
    content_type: str
    numbers: Sequence[int]
    timeout_s: float
    limits: Limits

    def run(self, _: PageReader | None) -> list[bytes]:
        """Draw; errors as of `draw_pages`."""
        return draw_pages(self.path, self.content_type, self.numbers, self.limits)


def serve(connection: Connection, open_reader: ReaderFactory, memory_bytes: int) -> None:
    """Answer jobs until the connection closes or memory ran out."""
    # Ctrl-C goes to the whole group; the parent decides when its children end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Libraries warn of what is odd in a file; its sender is told, the operator need not be.
    warnings.simplefilter("ignore")
    limit_resources(memory_bytes)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    connection.send(os.getpid())
    with contextlib.suppress(EOFError, OSError):
        open_once = cache(open_reader)
        while True:
            job: Job = connection.recv()
            _set_alarm(job.timeout_s + LAST_RESORT_S)
            outcome = _outcome(job, open_once)
            connection.send(outcome)
            _set_alarm(0)
            if isinstance(outcome, ParserCrashed):
                return


def _outcome(job: Job, open_once: ReaderFactory) -> Any:  # noqa: ANN401 - a result or an exception
    try:
        return job.run(open_once())
    except Unparsable as error:
        return error
    except MemoryError:
        return ParserCrashed(CrashReason.MEMORY, "The parser ran out of memory.")
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent has to hear of it
        # Neither the traceback nor every type of error crosses the process boundary; text does.
        failed = ParserFailed(f"{type(error).__name__}: {error}")
        failed.add_note("".join(traceback.format_exception(error)))
        return failed


def limit_resources(memory_bytes: int) -> None:
    """Bound the data that this process may hold, and let no core dump keep a document's text.

    The bound is on private memory (RLIMIT_DATA) and not on addresses, of which the OCR runtime
    reserves far more than it uses. macOS and Windows have no such bound: time is all they bound.
    """
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - absent on Windows

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))


def _set_alarm(seconds: float) -> None:
    """Let the kernel end this process after `seconds` (0: never), even one that hangs."""
    if sys.platform != "win32":
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(math.ceil(seconds))


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
