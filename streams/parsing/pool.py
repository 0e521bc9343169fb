"""A pool of parser processes, of which a bad document can take down one and nothing else.

Each call has a child to itself. A child that dies, hangs or runs out of memory fails its own call
with `ParserCrashed` and is replaced; children are also replaced after a number of documents, so
that what PDFium or an OCR runtime leaks is given back.
"""

import asyncio
import contextlib
import multiprocessing
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, Self

from streams.parsing.child import DrawJob, Job, ParseJob, ReaderFactory, serve
from streams.parsing.errors import CrashReason, ParserCrashed
from streams.parsing.limits import Limits
from streams.parsing.page import ParsedPart

START_TIMEOUT_S = 60.0
RECYCLE_AFTER = 200
END_TIMEOUT_S = 5.0


@dataclass(slots=True, eq=False)
class _Child:
    """One process, started at its first use; its methods block and run in a thread of the pool."""

    open_reader: ReaderFactory
    memory_bytes: int
    process: SpawnProcess | None = None
    connection: Connection | None = None
    calls: int = 0
    doomed: bool = False
    in_use: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        """Start the process if it is not there.

        Raises:
            ParserCrashed: it did not come up.
        """
        with self.in_use:
            self._connected()

    def ask(self, job: Job) -> Any:  # noqa: ANN401 - as the job's own result
        """Have `job` done.

        Raises:
            ParserCrashed: the process is gone; the next call starts another.
            Unparsable, ParserFailed: as the process answered.
        """
        with self.in_use:
            connection = self._connected()
            self.calls += 1
            try:
                connection.send(job)
                if not connection.poll(job.timeout_s):
                    self._end()
                    raise _no_answer(job)
                outcome = connection.recv()
            except (EOFError, OSError):
                raise self._died() from None
            if not isinstance(outcome, Exception):
                return outcome
            if isinstance(outcome, ParserCrashed):
                self._end()
            raise outcome

    def kill(self) -> None:
        """End the process at once, from any thread; a call in flight then fails."""
        self.doomed = True
        process = self.process
        # The thread of the call may be ending the same process.
        with contextlib.suppress(ValueError):
            if process is not None:
                process.kill()

    def end(self) -> None:
        """End the process and give back what it held, after a call in flight has failed."""
        self.kill()
        with self.in_use:
            self._end()

    def _connected(self) -> Connection:
        if self.connection is not None:
            return self.connection
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        arguments = (theirs, self.open_reader, self.memory_bytes)
        process = context.Process(
            target=serve, args=arguments, name="actionstream-parser", daemon=True
        )
        process.start()
        theirs.close()
        self.process, self.connection = process, ours
        if self.doomed:
            # It was told to end before there was a process that could be killed.
            raise self._died()
        try:
            if ours.poll(START_TIMEOUT_S):
                ours.recv()
                return ours
        except (EOFError, OSError):
            raise self._died() from None
        self._end()
        raise ParserCrashed(CrashReason.TIMEOUT, "The parser process did not start.")

    def _died(self) -> ParserCrashed:
        code = self._end(grace_s=1.0)
        return ParserCrashed(CrashReason.DIED, f"The parser process died with exit code {code}.")

    def _end(self, grace_s: float = 0.0) -> int | None:
        """Kill the process, after `grace_s` in which it may end by itself; return its exit code."""
        process, connection = self.process, self.connection
        self.process = self.connection = None
        if connection is not None:
            connection.close()
        if process is None:
            return None
        process.join(grace_s)
        process.kill()
        process.join(END_TIMEOUT_S)
        code = process.exitcode
        process.close()
        return code


def _no_answer(job: Job) -> ParserCrashed:
    return ParserCrashed(
        CrashReason.TIMEOUT, f"The parser did not answer within {job.timeout_s:g} s."
    )


class ParserPool:
    """Child processes that parse documents, each one document at a time.

    Args:
        workers: how many children.
        memory_bytes: private memory that a child may hold; see `child.limit_resources`.
        open_reader: opens the OCR engine in each child, at its first job.
        recycle_after: documents after which a child is replaced.
    """

    def __init__(
        self,
        *,
        workers: int,
        memory_bytes: int,
        open_reader: ReaderFactory,
        recycle_after: int = RECYCLE_AFTER,
    ) -> None:
        self._new_child = partial(_Child, open_reader, memory_bytes)
        self._recycle_after = recycle_after
        self._children = {self._new_child() for _ in range(workers)}
        self._idle: asyncio.LifoQueue[_Child] = asyncio.LifoQueue()
        for child in self._children:
            self._idle.put_nowait(child)
        # Two threads a child: one for its call, one to clear up after the child before it.
        self._threads = ThreadPoolExecutor(2 * workers, thread_name_prefix="parser")

    async def __aenter__(self) -> Self:
        """Start the children, so that the first document does not wait for them."""
        loop = asyncio.get_running_loop()
        starts = [loop.run_in_executor(self._threads, child.start) for child in self._children]
        try:
            await asyncio.gather(*starts)
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    async def parse(
        self,
        path: Path,
        content_type: str,
        *,
        first_page: int,
        budget_s: float,
        timeout_s: float,
        limits: Limits,
    ) -> ParsedPart:
        """Run `parse_part` in a child, and kill that one if it has not answered after `timeout_s`.

        The time does not count while all children are busy. A cancelled call kills its child.

        Raises:
            Unparsable: as of `parse_part`.
            ParserCrashed: the child died, hung or ran out of memory; other calls go on.
            ParserFailed: a bug in a parser.
        """
        job = ParseJob(path, content_type, first_page, budget_s, timeout_s, limits)
        part: ParsedPart = await self._do(job)
        return part

    async def draw(
        self,
        path: Path,
        content_type: str,
        *,
        numbers: Sequence[int],
        timeout_s: float,
        limits: Limits,
    ) -> list[bytes]:
        """Run `draw_pages` in a child; time and errors as of `parse`."""
        pictures: list[bytes] = await self._do(
            DrawJob(path, content_type, numbers, timeout_s, limits)
        )
        return pictures

    async def _do(self, job: Job) -> Any:  # noqa: ANN401 - as the job's own result
        child = await self._idle.get()
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, child.ask, job)
        except asyncio.CancelledError:
            child = self._replace(child)
            raise
        finally:
            if child.calls >= self._recycle_after:
                child = self._replace(child)
            self._idle.put_nowait(child)

    def _replace(self, child: _Child) -> _Child:
        """End a child in the background and return the one that takes its place."""
        child.kill()
        self._threads.submit(child.end)
        self._children.remove(child)
        fresh = self._new_child()
        self._children.add(fresh)
        return fresh

    async def close(self) -> None:
        """End every child; calls in flight fail with `ParserCrashed`."""
        await asyncio.gather(*(asyncio.to_thread(child.end) for child in self._children))
        await asyncio.to_thread(self._threads.shutdown)
