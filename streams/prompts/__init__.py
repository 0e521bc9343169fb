"""The prompts: versioned files of this package, and how one is filled in.

A prompt file has a part `# System` and a part `# User` with `{{placeholders}}`. A change of wording
is a new file with the next version, because stored answers name the version that they came from.

Reads the files of this package and, for the marks around a document, the system's random source.
"""

import functools
import hashlib
import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from schemas.document_types import DocumentType

__all__ = ["Prompt", "UnknownPrompt", "field_list", "render", "type_list"]

_PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")
_MARK = re.compile(r"<(?=\s*/?\s*(?:document|question|types|fields)\b)", re.IGNORECASE)
_HARMLESS = "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}"
_NONCE_BYTES = 8
_MOST_LABELS = 8
_DIGEST_NONCE = "0" * (2 * _NONCE_BYTES)


class UnknownPrompt(LookupError):
    """There is no prompt of this name and version, or a placeholder of it was given no value."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt ready to be sent.

    `digest` is the same whenever name, version and values are, although the marks around the
    document are random each time; stored answers are found again by it.
    """

    name: str
    version: int
    system: str
    user: str
    digest: str

    @property
    def messages(self) -> list[dict[str, str]]:
        """The messages of a chat: the instructions, then the task with the document."""
        return [
            {"role": "system", "content": self.system},
            {"role": "user", "content": self.user},
        ]


def render(name: str, version: int, *, documents: Sequence[Sequence[str]], **values: str) -> Prompt:
    """Fills in a prompt.

    Args:
        name: `classify`, `extract`, `summarise` or `answer`.
        version: the version of the file.
        documents: the texts of the pages of each document; one document but for `answer`.
        values: what stands for the other placeholders: `types` or `fields` (JSON from `type_list`
            and `field_list`), `question`.

    Returns: the prompt. Each document stands between lines that carry a random id, and a `<` that
        would begin such a line in its text is replaced by a sign of the same length, so that no
        text can end its own document and offsets stay true.

    Raises:
        UnknownPrompt: no such file, or a placeholder without a value.
    """
    system, user = _read(name, version)
    texts = [
        "\f".join(_MARK.sub(_HARMLESS, one.replace("\f", "\n")) for one in pages)
        for pages in documents
    ]
    safe = {key: _MARK.sub(_HARMLESS, value) for key, value in values.items()}
    fixed = {**safe, "document": _delimit(texts, [_DIGEST_NONCE] * len(texts))}
    drawn = {**safe, "document": _delimit(texts, [_nonce(text) for text in texts])}
    whole = json.dumps([name, version, system, _fill(user, fixed)])
    return Prompt(
        name=name,
        version=version,
        system=system,
        user=_fill(user, drawn),
        digest=hashlib.sha256(whole.encode()).hexdigest(),
    )


def type_list(types: Sequence[DocumentType]) -> str:
    """The document types as the JSON that `classify` takes: name, description, examples."""
    return _json(
        [
            {"name": one.name, "description": one.description, "examples": list(one.examples)}
            for one in types
        ]
    )


def field_list(document_type: DocumentType) -> str:
    """The fields of a type as the JSON that `extract` takes: a model never sees the schema."""
    described: list[dict[str, Any]] = []
    for name, field in document_type.fields.properties.items():
        one: dict[str, Any] = {"name": name, "description": field.description}
        if field.labels:
            one["labels"] = list(field.labels[:_MOST_LABELS])
        if field.columns:
            one["columns"] = {column: cell.description for column, cell in field.columns.items()}
        described.append(one)
    return _json(described)


def _json(value: Sequence[Any]) -> str:
    """JSON, one entry a line, in which no text can look like the marks of a prompt."""
    lines = (json.dumps(one, ensure_ascii=False).replace("<", "\\u003c") for one in value)
    return "[\n" + ",\n".join(lines) + "\n]"


@functools.cache
def _read(name: str, version: int) -> tuple[str, str]:
    """The two parts of a prompt file."""
    file = resources.files(__name__).joinpath(f"{name}.v{version}.md")
    if not re.fullmatch(r"[a-z_]+", name) or not file.is_file():
        raise UnknownPrompt(f"no prompt {name!r} of version {version}")
    _, _, body = file.read_text(encoding="utf-8").partition("# System\n")
    system, _, user = body.partition("\n# User\n")
    return system.strip(), user.strip()


def _fill(template: str, values: dict[str, str]) -> str:
    """Puts in all values at once, so that a placeholder inside a value stays what it is."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise UnknownPrompt(f"the prompt needs a value for {match[1]!r}")
        return values[match[1]]

    return _PLACEHOLDER.sub(value, template)


def _delimit(texts: Sequence[str], nonces: Sequence[str]) -> str:
    blocks = (
        f'<document id="{nonce}">\n{text}\n</document id="{nonce}">'
        for text, nonce in zip(texts, nonces, strict=True)
    )
    return "\n".join(blocks)


def _nonce(text: str) -> str:
    while (nonce := secrets.token_hex(_NONCE_BYTES)) in text:
        continue
    return nonce
