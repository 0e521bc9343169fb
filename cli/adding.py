"""Putting files and folders in."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import typer

from cli.batch import work_through
from cli.client import Gateway
from cli.display import display
from cli.errors import Failure
from cli.terminal import console, print_json
from cli.tracking import REFUSED, Tracked
from schemas.states import Status

_ONE_TITLE: Final = "--title goes with a single file"
_FAILED = frozenset({REFUSED, Status.FAILED, Status.CANCELLED})


@dataclass(frozen=True, slots=True)
class Options:
    """What is said of all files; `metadata` as `key=value`, each value as JSON where it is."""

    type_: str | None = None
    title: str | None = None
    metadata: tuple[str, ...] = ()

    def fields(self) -> dict[str, str]:
        """Returns: the form fields of an upload. Raises: Failure: a pair without `=`."""
        fields = {"type": self.type_, "title": self.title}
        if self.metadata:
            fields["metadata"] = json.dumps(dict(map(_pair, self.metadata)))
        return {name: value for name, value in fields.items() if value is not None}

    def defaults(self) -> dict[str, Any]:
        """Returns: what is said of all documents of a batch.

        Raises:
            Failure: a pair without `=`, or a title, which goes with a single file.
        """
        if self.title is not None:
            raise Failure(_ONE_TITLE)
        defaults = {"type": self.type_, "metadata": dict(map(_pair, self.metadata))}
        return {name: value for name, value in defaults.items() if value}


def add(
    gateway: Gateway,
    paths: Sequence[Path],
    options: Options,
    *,
    wait: bool,
    as_json: bool,
) -> None:
    """Upload all files and follow them; exit with 1 if any failed.

    Raises:
        Failure: a path is missing, an option is wrong, or the gateway does not answer.
    """
    documents = [
        Tracked(name=str(path), path=path, size_bytes=max(1, path.stat().st_size))
        for path in files(paths)
    ]
    if not documents:
        raise Failure("there is no file in what was named; hidden files are left out")
    if options.title is not None and len(documents) > 1:
        raise Failure(_ONE_TITLE)
    fields = options.fields()

    def send(one: Tracked) -> None:
        if one.path is not None:
            state = gateway.upload(one.path, fields, progress=one.sent)
            one.accept(state["document_id"])

    work_through(gateway, documents, send, display(console(), silent=as_json), wait=wait)
    _report(documents, as_json=as_json)


def files(paths: Sequence[Path]) -> Iterator[Path]:
    """Yield the files named and those within the folders named, hidden ones left out, by name.

    Raises:
        Failure: there is nothing of a name.
    """
    for path in paths:
        if path.is_dir():
            within = (one for one in sorted(path.rglob("*")) if one.is_file())
            yield from (one for one in within if not _hidden(one.relative_to(path)))
        elif path.exists():
            yield path
        else:
            raise Failure(f"there is no file or folder {path}")


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _pair(text: str) -> tuple[str, object]:
    key, mark, value = text.partition("=")
    if not key or not mark:
        raise Failure(f"--metadata needs KEY=VALUE, not {text!r}")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def _report(documents: Sequence[Tracked], *, as_json: bool) -> None:
    if as_json:
        print_json([one.to_json() for one in documents])
    elif len(documents) == 1 and documents[0].document_id:
        print(f"actionstream documents show {documents[0].document_id}")
    if any(one.status in _FAILED for one in documents):
        raise typer.Exit(1)
