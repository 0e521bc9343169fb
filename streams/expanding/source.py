"""The files of an archive or under a prefix, as entries of their batch, part by part."""

import asyncio
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select

from schemas.batches import Archive, BatchSourceAdded, Many, Prefix
from schemas.messages import StoredFile
from schemas.states import EntryState
from schemas.tables import BATCH_ENTRIES
from streams import batch_entries
from streams.batch_entries import Entry, Maker
from streams.clients.postgres import Database
from streams.clients.s3 import StoredObject, prefix
from streams.errors import InvalidMessage
from streams.expanding import archive, manifest
from streams.expanding.archive import Limits, Member
from streams.expanding.manifest import Manifest
from streams.expanding.trouble import Trouble
from streams.files import Files

_MOST: Final = 1000
"""Entries of one part, which are one statement."""
_AT_ONCE: Final = 8
"""Files on their way into the object store."""


class Place(BaseModel):
    """How far a source has come: so many files of an archive, or the last key under a prefix."""

    model_config = ConfigDict(frozen=True)

    files: int = 0
    after: str = ""
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """The entries of one part, and the place behind them."""

    entries: Sequence[Entry]
    place: Place


@dataclass(frozen=True, slots=True)
class Source:
    """One source of a batch; what becomes of it depends on nothing but its files."""

    database: Database
    files: Files
    message: BatchSourceAdded
    maker: Maker
    limits: Limits

    @property
    def many(self) -> Many:
        """Returns: what was added."""
        return self.message.many

    @property
    def name(self) -> str:
        """Returns: what the entry of a source's own trouble is called."""
        match self.many.source:
            case Archive(key=key):
                return key.rpartition("/")[2]
            case Prefix(prefix=under):
                return under

    async def part(self, place: Place, budget: timedelta) -> Part:
        """Returns: the next entries. Raises: Trouble: the source cannot be read."""
        described = await self._manifest()
        match self.many.source:
            case Archive(key=key):
                part = await self._of_archive(key, described, place, budget)
            case Prefix(prefix=under):
                part = await self._of_prefix(under, described, place)
        return part

    async def clean(self) -> None:
        """Delete what was uploaded for this source alone."""
        uploads = f"{self.maker.gpt_id}/batches/{self.maker.batch_id}/"
        keys = [self.many.manifest_key]
        if isinstance(self.many.source, Archive):
            keys.append(self.many.source.key)
        for key in keys:
            if key is not None and key.startswith(uploads):
                await self.files.store.delete(key)

    async def _manifest(self) -> Manifest:
        if self.many.manifest_key is None:
            return Manifest()
        with self.files.scratch() as path:
            await self._download(self.many.manifest_key, path, manifest.LIMIT_BYTES)
            return await asyncio.to_thread(
                lambda: manifest.parse(path.read_bytes(), most_lines=self.limits.files)
            )

    async def _download(self, key: str, target: Path, limit: int) -> None:
        try:
            await self.files.store.download(key, target, limit=limit)
        except InvalidMessage as error:
            raise Trouble(error.code, error.detail) from error

    async def _of_archive(
        self, key: str, described: Manifest, place: Place, budget: timedelta
    ) -> Part:
        with self.files.scratch() as path:
            await self._download(key, path, self.limits.bytes)
            members = await asyncio.to_thread(archive.members, path, self.limits)
            left, entries = members[place.files :], list[Entry]()
            ends = time.monotonic() + budget.total_seconds()
            with zipfile.ZipFile(path) as opened:
                for first in range(0, min(len(left), _MOST), _AT_ONCE):
                    some = left[first : first + _AT_ONCE]
                    entries += await asyncio.gather(
                        *(self._of_member(opened, each, described, path) for each in some)
                    )
                    if time.monotonic() > ends:
                        break
        behind = Place(files=place.files + len(entries))
        if len(entries) < len(left):
            return Part(entries, behind)
        entries += _unnamed(described, {member.path for member in members})
        return Part(entries, behind.model_copy(update={"ended": True}))

    async def _of_member(
        self, opened: zipfile.ZipFile, member: Member, described: Manifest, beside: Path
    ) -> Entry:
        name = ("source", self.message.number, member.path)
        target = beside.with_name(f"member-{member.number}")
        key = f"{prefix(self.maker.gpt_id, self.maker.document_id(*name))}member/original"
        try:
            if member.trouble is not None:
                raise member.trouble
            said = described.of(member.path, self.many.defaults)
            await asyncio.to_thread(archive.unpack, opened, member, target)
            await self.files.store.upload(key, target, content_type="application/octet-stream")
        except Trouble as trouble:
            return batch_entries.refused(member.path, trouble.code, trouble.detail)
        finally:
            target.unlink(missing_ok=True)
        return self.maker.of(said, StoredFile(key=key), *name, path=member.path)

    async def _of_prefix(self, under: str, described: Manifest, place: Place) -> Part:
        page = await self.files.store.page(under, after=place.after, most=_MOST)
        entries = [self._of_object(each, under, described) for each in page if self._is_file(each)]
        if page:
            return Part(entries, Place(after=page[-1].key))
        left = set(described.files) - await self._known(described)
        return Part(_unnamed(described, set(described.files) - left), Place(ended=True))

    def _is_file(self, each: StoredObject) -> bool:
        # Consoles of object stores make an empty object for a folder.
        return each.key != self.many.manifest_key and not each.key.endswith("/")

    def _of_object(self, each: StoredObject, under: str, described: Manifest) -> Entry:
        path = each.key.removeprefix(under)
        if each.size_bytes > self.limits.file_bytes:
            detail = f"It has more than {self.limits.file_bytes} bytes."
            return batch_entries.refused(path, "too_large", detail)
        try:
            said = described.of(path, self.many.defaults)
        except Trouble as trouble:
            return batch_entries.refused(path, trouble.code, trouble.detail)
        name = ("source", self.message.number, path)
        return self.maker.of(said, StoredFile(key=each.key), *name, path=path)

    async def _known(self, described: Manifest) -> set[str]:
        """Returns: the paths of a manifest that name a file under the prefix."""
        names = {
            self.maker.document_id("source", self.message.number, path): path
            for path in described.files
        }
        columns = BATCH_ENTRIES.c
        added = select(columns.document_id).where(columns.document_id.in_(names))
        failed = select(columns.path).where(
            columns.batch_id == self.maker.batch_id,
            columns.state == EntryState.FAILED,
            columns.document_id.is_(None),
        )
        async with self.database.transaction() as connection:
            known = {names[each] for each in (await connection.execute(added)).scalars()}
            return known | set((await connection.execute(failed)).scalars())


def _unnamed(described: Manifest, known: set[str]) -> list[Entry]:
    """Returns: the entries of what is wrong with a manifest, once all files are known."""
    wrong = [
        batch_entries.refused(f"manifest:{number}", trouble.code, trouble.detail)
        for number, trouble in described.wrong.items()
    ]
    detail = "The manifest names this path, and there is no such file."
    return wrong + [
        batch_entries.refused(path, "manifest_without_file", detail)
        for path in described.files
        if path not in known
    ]
