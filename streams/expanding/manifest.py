"""Manifests: JSON Lines that say of single files, by path, what is not in their bytes."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from pydantic import ConfigDict, ValidationError

from schemas.batches import Described, Path
from schemas.json_values import holds_unstorable
from schemas.messages import METADATA_LIMIT
from streams import failures
from streams.expanding.trouble import Trouble

LIMIT_BYTES: Final = 32 * 1024 * 1024


class _Line(Described):
    """One line."""

    model_config = ConfigDict(extra="forbid")

    path: Path


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is said of files by path, and what is wrong with lines, by their numbers from 1."""

    files: dict[str, Described] = field(default_factory=dict)
    wrong: dict[int, Trouble] = field(default_factory=dict)

    def of(self, path: str, defaults: Described) -> Described:
        """Returns: what is said of a file: of itself, and else of all.

        Raises: Trouble: both together are too much.
        """
        own = self.files.get(path)
        if own is None:
            return defaults
        metadata = {**defaults.metadata, **own.metadata}
        if len(metadata) > METADATA_LIMIT:
            detail = f"With that of all files, its metadata has more than {METADATA_LIMIT} names."
            raise Trouble("invalid_manifest", detail)
        return Described(
            title=own.title or defaults.title, metadata=metadata, type=own.type or defaults.type
        )


def parse(content: bytes, *, most_lines: int) -> Manifest:
    """Returns: what a manifest says; lines that say nothing are passed over.

    Raises: Trouble: it has too many lines.
    """
    made = Manifest()
    for number, line in _lines(content):
        if number > most_lines:
            detail = f"The manifest has more than {most_lines:,} lines."
            raise Trouble("invalid_manifest", detail)
        try:
            one = _parsed(line, number)
        except Trouble as trouble:
            made.wrong[number] = trouble
            continue
        if made.files.setdefault(one.path, one) is not one:
            twice = f"Line {number}: the path stands there twice."
            made.wrong[number] = Trouble("invalid_manifest", twice)
    return made


def _lines(content: bytes) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if line.strip():
            yield number, line


def _parsed(line: bytes, number: int) -> _Line:
    try:
        one = _Line.model_validate_json(line)
    except ValidationError as error:
        detail = f"Line {number}: {failures.explain(error)}"
        raise Trouble("invalid_manifest", detail) from error
    if holds_unstorable(one.model_dump()):
        raise Trouble("invalid_manifest", f"Line {number}: a text holds the character U+0000.")
    return one
