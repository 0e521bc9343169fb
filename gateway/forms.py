"""Forms: multipart bodies read as they come; texts are bounded, files go where they are told."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from gateway import multipart
from gateway.errors import InvalidInput
from gateway.multipart import Begin, Data, End

FIELD_BYTES: Final = 128 * 1024
"""Most bytes of an ordinary text."""

Keep = Callable[[str, str, AsyncIterator[bytes]], Awaitable[None]]
"""Takes a file: the name of its part, its own name, its bytes. What it leaves is read over."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a form may have.

    Attributes:
        fields: the names of texts, with the most bytes of each; they may come as files too.
        first: those that must stand before the files.
        files: the names of parts with files, the usual one first.
        max_files: how many of these at most.
        taken: how the files' parts are named, for the error.
    """

    fields: Mapping[str, int]
    first: frozenset[str]
    files: frozenset[str]
    max_files: int
    taken: str


class Form:
    """One form; `fields` has the texts read so far, `count` is the number of files."""

    def __init__(
        self, stream: AsyncIterator[bytes], content_type: str, rules: Rules, keep: Keep
    ) -> None:
        self.fields: dict[str, str] = {}
        self.count = 0
        self._events = multipart.events(stream, multipart.boundary_of(content_type))
        self._rules = rules
        self._keep = keep

    async def read(self) -> None:
        """Read all of it.

        Raises:
            Malformed, InvalidInput: it is no form, or has what it may not have.
        """
        async for event in self._events:
            if not isinstance(event, Begin):
                continue
            if event.filename is None or event.name in self._rules.fields:
                await self._field(event.name)
            else:
                await self._file(event.name, event.filename)

    async def _field(self, name: str) -> None:
        limit = self._rules.fields.get(name)
        if limit is None:
            raise InvalidInput.at(f"/{name[:64]}", "unknown field; remove it or correct its name")
        if name in self.fields:
            raise InvalidInput.at(f"/{name}", "stands twice; send it once")
        if name in self._rules.first and self.count:
            raise InvalidInput.at(f"/{name}", "must stand before the files")
        data = bytearray()
        async for chunk in self._part():
            data += chunk
            if len(data) > limit:
                raise InvalidInput.at(f"/{name}", f"is longer than {limit} bytes")
        try:
            self.fields[name] = data.decode()
        except UnicodeDecodeError as error:
            raise InvalidInput.at(f"/{name}", "is not UTF-8") from error

    async def _file(self, part: str, filename: str) -> None:
        if part not in self._rules.files:
            taken = self._rules.taken
            raise InvalidInput.at(f"/{part[:64]}", f"unknown field; name files {taken}")
        if self.count >= self._rules.max_files:
            raise InvalidInput.at("/files", f"at most {self.count} files at once")
        chunks = self._part()
        await self._keep(part, filename, chunks)
        self.count += 1
        async for _ in chunks:
            pass

    async def _part(self) -> AsyncIterator[bytes]:
        async for event in self._events:
            if isinstance(event, Data):
                yield event.data
            elif isinstance(event, End):
                return
