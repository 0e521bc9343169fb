"""The generated documents: what is in the code, said once more for readers.

`python -m cli.reference` writes them; a test compares them with what is committed.
"""

import json
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from cli.reference import commands, events, metrics, problems, settings, topics
from cli.settings import PROJECT

FOLDER: Final = Path("docs") / "reference"


def _openapi() -> str:
    from gateway.app import openapi_document

    return _json(openapi_document())


def _asyncapi() -> str:
    from schemas import asyncapi

    return _json(asyncapi.document(version("actionstream")))


DOCUMENTS: Final[Mapping[Path, Callable[[], str]]] = MappingProxyType(
    {
        FOLDER / "openapi.json": _openapi,
        FOLDER / "asyncapi.json": _asyncapi,
        FOLDER / "settings.md": settings.markdown,
        FOLDER / "topics.md": topics.markdown,
        FOLDER / "events.md": events.markdown,
        FOLDER / "metrics.md": metrics.markdown,
        FOLDER / "problems.md": problems.markdown,
        FOLDER / "cli.md": commands.markdown,
        Path(".env.example"): settings.example,
    }
)
"""Every generated document by its path within the project, and how it is made."""


def write(project: Path = PROJECT) -> list[Path]:
    """Write all generated documents. Returns: those that have changed."""
    changed = []
    for path, made in DOCUMENTS.items():
        target = project / path
        text = made()
        if target.is_file() and target.read_text(encoding="utf-8") == text:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        changed.append(path)
    return changed


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
