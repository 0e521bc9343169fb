"""The parser as the `parse` stage uses it: a process pool with the limits of the settings."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from streams.parsing.limits import Limits
from streams.parsing.page import ParsedPart
from streams.parsing.pool import ParserPool
from streams.parsing.reading import open_reader
from streams.settings import Settings
from streams.slots import Slots


class DocumentParser:
    """Parses files in child processes."""

    def __init__(self, pool: ParserPool, settings: Settings) -> None:
        self._pool = pool
        self._slots = Slots(settings.parse_processes, settings.bulk_share)
        self._limits = Limits(max_pages=settings.max_pages)
        self._budget_s = settings.work_budget.total_seconds()
        self._timeout_s = settings.parse_timeout.total_seconds()

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings) -> AsyncIterator["DocumentParser"]:
        """Yield a parser whose processes have started; end them afterwards."""
        pool = ParserPool(
            workers=settings.parse_processes,
            memory_bytes=settings.parse_memory_bytes,
            open_reader=partial(open_reader, settings.ocr_engine),
        )
        async with pool:
            yield cls(pool, settings)

    async def parse(self, path: Path, content_type: str, *, first_page: int) -> ParsedPart:
        """Parse from a page on, as far as the time budget carries.

        Raises: Unparsable: never parsable. ParserCrashed: the child process died or hung.
        """
        async with self._slots.one():
            return await self._pool.parse(
                path,
                content_type,
                first_page=first_page,
                budget_s=self._budget_s,
                timeout_s=self._timeout_s,
                limits=self._limits,
            )

    async def draw(self, path: Path, content_type: str, *, numbers: Sequence[int]) -> list[bytes]:
        """Return a JPEG of each page; formats that have no pages to draw give none.

        Raises: as `parse`.
        """
        return await self._pool.draw(
            path, content_type, numbers=numbers, timeout_s=self._timeout_s, limits=self._limits
        )
