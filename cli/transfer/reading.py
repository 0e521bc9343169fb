"""Reads a folder that anybody may have written: no name in it is trusted, no line taken as whole.

Raises a Failure that names the file and the line for anything that is not as an export writes it.
"""

import hashlib
import json
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from cli.errors import Failure
from cli.transfer.layout import FORMAT, MANIFEST, READABLE, Manifest
from schemas.json_values import MAX_DEPTH, NotStorable, check

M = TypeVar("M", bound=BaseModel)

_LEVELS: Final = 1
"""The line stands round an object's body."""

_MANIFEST_BYTES: Final = 16 * 1024**2


@dataclass(frozen=True, slots=True)
class Line(Generic[M]):
    """One line: its number from 1, its bytes, its JSON, and what was understood of it."""

    number: int
    raw: bytes
    value: dict[str, Any]
    read: M


def place(root: Path, name: str) -> Path:
    """Returns: the path of a regular file within the folder.

    Raises:
        Failure: the name leads out of the folder, through a symbolic link, or to no file.
    """
    parts = name.split("/")
    if not name.isprintable() or "\\" in name or any(part in {"", ".", ".."} for part in parts):
        raise Failure(f"{name!r} is no name of a file within {root}")
    path = root
    for part in parts:
        path = path / part
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            raise Failure(f"{path} is missing; copy the whole folder") from None
        except OSError as error:
            raise Failure(f"{path} cannot be read: {error.strerror}") from None
        if stat.S_ISLNK(mode):
            raise Failure(f"{path} is a symbolic link; an export has none")
    if not stat.S_ISREG(mode):
        raise Failure(f"{path} is no file")
    return path


def manifest(root: Path) -> Manifest:
    """Returns: what the folder is said to hold. Raises: Failure: it is no export of this format."""
    if not root.is_dir():
        raise Failure(f"there is no folder {root}")
    path = place(root, MANIFEST)
    try:
        with path.open("rb") as file:
            value = json.loads(file.read(_MANIFEST_BYTES))
    except (OSError, ValueError, RecursionError):
        raise Failure(f"{path} is not JSON; is {root} an export?") from None
    found = value.get("format") if isinstance(value, dict) else None
    if found not in READABLE:
        raise Failure(
            f"{path} says format {found!r}, and this version reads formats up to {FORMAT}; import "
            "it with the version that exported it, or a newer one"
        )
    return _fitted(path, value, Manifest)


def lines(root: Path, name: str, model: type[M]) -> Iterator[Line[M]]:
    """Yield the lines of a file in their order.

    Raises:
        Failure: the file is missing, or a line is torn, is no JSON object, or lacks something.
    """
    path = place(root, name)
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            where = f"{path}, line {number}"
            value = _value(where, raw)
            yield Line(number, raw, value, _fitted(where, value, model))


def sha256(path: Path) -> str:
    """Returns: the hash of a file's bytes, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _value(where: str, raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw)
        check(value, depth=MAX_DEPTH + _LEVELS)
    except NotStorable as error:
        raise Failure(f"{where}: {error}") from None
    except (ValueError, RecursionError):
        # Integers of more digits than Python is willing to read are such, too.
        raise Failure(f"{where} is torn or no JSON; nothing was imported from it") from None
    if not isinstance(value, dict):
        raise Failure(f"{where} is no JSON object")
    return value


def _fitted(where: object, value: dict[str, Any], model: type[M]) -> M:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        pointer = "".join(f"/{part}" for part in first["loc"])
        raise Failure(f"{where}: {pointer or '/'}: {first['msg']}") from None
