"""Export: a tenant's collections, objects, document types and documents, over HTTP, to a folder.

It is written under a name of its own and renamed last: a folder of the wanted name is whole.
"""

import functools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final
from urllib.parse import quote

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from cli.client import Gateway, Refusal
from cli.errors import Failure
from cli.terminal import console, print_json
from cli.transfer.documents import Originals
from cli.transfer.layout import (
    COLLECTIONS,
    DOCUMENTS,
    FORMAT,
    MANIFEST,
    SETTINGS,
    TYPES,
    CollectionLine,
    DocumentLine,
    Json,
    Manifest,
    objects_of,
)
from cli.transfer.reading import lines
from cli.transfer.standing import PROGRESS, Page, Standing, alone, unfinished

_LOCK: Final = ".lock"
_PAGE: Final = 200
_PAGE_OF_DOCUMENTS: Final = 50
Pages = Callable[[str | None], Page]

_OBJECT: Final = (
    "id",
    "key",
    "subject",
    "version",
    "created_at",
    "updated_at",
    "expires_at",
    "body",
)


def export(gateway: Gateway, gpt_id: str, folder: Path, *, as_json: bool) -> None:
    """Write the tenant to the folder and say what it holds; exit code 1 if bytes are missing.

    Raises:
        Failure: the folder is there already, or the gateway does not answer.
    """
    if folder.exists() or folder.is_symlink():
        raise Failure(f"{folder} is there already; an export writes to a new folder")
    root = folder.with_name(f"{folder.name}.unfinished")
    try:
        standing = unfinished(root, gpt_id, gateway.url)
        with alone(root / _LOCK):
            _Export(gateway, standing, root).run()
            made = _finished(standing, root)
            root.rename(folder)
        for name in (PROGRESS, _LOCK):
            (folder / name).unlink()
    except OSError as error:
        raise Failure(f"{error.filename or root} cannot be written: {error.strerror}") from None
    _report(made, standing.troubles, folder, as_json=as_json)


class _Export:
    """One run of an export, from wherever the last one stopped."""

    def __init__(self, gateway: Gateway, standing: Standing, root: Path) -> None:
        self._gateway = gateway
        self._standing = standing
        self._root = root
        self._path = f"/v1/gpts/{quote(standing.gpt_id, safe='')}/collections"
        shown = console()
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            console=shown,
            transient=True,
            disable=not shown.is_terminal,
        )

    def run(self) -> None:
        with self._bars:
            self._part(COLLECTIONS, None, self._collections)
            for found in list(lines(self._root, COLLECTIONS, CollectionLine)):
                name = found.read.name
                total = found.value["object_count"]
                self._part(objects_of(name), total, functools.partial(self._objects, name))
            self._part(TYPES, None, self._types)
            originals = Originals(self._gateway, self._standing, self._root)
            self._part(DOCUMENTS, None, lambda cursor: self._documents(originals, cursor))

    def _part(self, name: str, total: int | None, page: Pages) -> None:
        bar = self._bars.add_task(name, total=total)
        self._standing.write(
            self._root, name, page, lambda count: self._bars.update(bar, completed=count)
        )

    def _collections(self, cursor: str | None) -> Page:
        page = self._page(self._path, _PAGE, cursor)
        return [_chosen(item, (*SETTINGS, "object_count")) for item in page["items"]], _next(page)

    def _objects(self, name: str, cursor: str | None) -> Page:
        try:
            page = self._page(f"{self._path}/{name}/objects", _PAGE, cursor)
        except Refusal as refusal:
            if refusal.code != "not_found":
                raise
            # The collection has been deleted since it was listed.
            return [], None
        return [_chosen(item, _OBJECT) for item in page["items"]], _next(page)

    def _types(self, _: str | None) -> Page:
        return list(self._own_types()), None

    def _own_types(self) -> Iterator[Json]:
        for item in self._gateway.call("GET", "/v1/document-types")["items"]:
            if item["source"] == "own":
                yield self._gateway.call("GET", f"/v1/document-types/{item['name']}")

    def _documents(self, originals: Originals, cursor: str | None) -> Page:
        page = self._page("/v1/documents", _PAGE_OF_DOCUMENTS, cursor)
        found = (originals.document(item["document_id"]) for item in page["items"])
        return (one for one in found if one is not None), _next(page)

    def _page(self, path: str, limit: int, cursor: str | None) -> Json:
        query: Json = {"limit": limit} if cursor is None else {"limit": limit, "cursor": cursor}
        return self._gateway.call("GET", path, query=query)


def _next(page: Json) -> str | None:
    return page["next_cursor"] if page["has_more"] else None


def _chosen(item: Json, names: tuple[str, ...]) -> Json:
    return {name: item[name] for name in names}


def _finished(standing: Standing, root: Path) -> Manifest:
    """Returns: the manifest, which is written as the last of the files."""
    kept = [one.read.file for one in lines(root, DOCUMENTS, DocumentLine) if one.read.file]
    made = Manifest(
        format=FORMAT,
        export_id=standing.export_id,
        version=version("actionstream"),
        gpt_id=standing.gpt_id,
        gateway_url=standing.gateway_url,
        begun_at=standing.begun_at,
        ended_at=datetime.now(UTC),
        lines={name: part.lines for name, part in standing.parts.items()},
        files=len(kept),
        file_bytes=sum((root / name).stat().st_size for name in kept),
    )
    (root / MANIFEST).write_text(made.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return made


def _report(made: Manifest, troubles: list[str], folder: Path, *, as_json: bool) -> None:
    if as_json:
        print_json({**made.model_dump(mode="json"), "troubles": troubles})
    else:
        counts = {name: made.lines[name] for name in (COLLECTIONS, TYPES, DOCUMENTS)}
        objects = sum(made.lines.values()) - sum(counts.values())
        print(
            f"{folder}: {counts[COLLECTIONS]} collections with {objects} objects, "
            f"{counts[TYPES]} document types, {counts[DOCUMENTS]} documents with {made.files} "
            f"files of {made.file_bytes} bytes",
            flush=True,
        )
        for trouble in troubles:
            print(trouble, flush=True)
    if troubles:
        raise typer.Exit(1)
