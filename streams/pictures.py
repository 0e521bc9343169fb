"""The pictures of a document's pages, for a chat model that can see."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

from streams import documents
from streams.clients.ollama import Models
from streams.clients.postgres import Database
from streams.errors import InvalidMessage, RecordTrouble
from streams.files import Files
from streams.parsing.errors import ParserCrashed, Unparsable
from streams.stage import Work

MOST: Final = 4
"""Pictures sent with one prompt at most: each costs a vision model as much as pages of text."""


class Painter(Protocol):
    """Draws pages of a file."""

    async def draw(self, path: Path, content_type: str, *, numbers: Sequence[int]) -> list[bytes]:
        """Raises: Unparsable: never drawable. ParserCrashed: the child process died or hung."""


class Pictures:
    """Pages as JPEGs; none at all where the chat model has no use for them."""

    def __init__(self, database: Database, files: Files, painter: Painter, models: Models) -> None:
        self._database = database
        self._files = files
        self._painter = painter
        self._models = models

    async def of(self, work: Work, pages: range) -> list[bytes]:
        """Returns: the pictures of the first pages of a range (indexes from 0).

        Raises: RecordTrouble: the drawing process died. DependencyDown: a store is away.
        """
        if not self._models.sees:
            return []
        document = await documents.require(self._database, work.gpt_id, work.document_id or "")
        numbers = [index + 1 for index in pages[:MOST]]
        with self._files.scratch() as path:
            await self._files.download(document.s3_key, path)
            try:
                return await self._painter.draw(path, document.content_type, numbers=numbers)
            except Unparsable as error:
                raise InvalidMessage(error.code, error.detail) from error
            except ParserCrashed as error:
                raise RecordTrouble("parser", str(error)) from error
