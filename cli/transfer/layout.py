"""The folder that an export makes: what its files are called and what stands in their lines.

Numbers are read and written as Python's own JSON does it: integers of any size stay as they are,
and a double is written with the digits that read as the same double.
"""

import json
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from schemas.api.documents import TypeName
from schemas.api.model import SUBJECT, Metadata
from schemas.api.tenants import Subject
from schemas.states import Status
from schemas.writes import CollectionName, Key

FORMAT: Final = 2
READABLE: Final = frozenset({1, FORMAT})
"""Format 1 named no end users; who knows it alone must not read what does."""

MANIFEST: Final = "manifest.json"
COLLECTIONS: Final = "collections.jsonl"
TYPES: Final = "document-types.jsonl"
DOCUMENTS: Final = "documents.jsonl"
FILES: Final = "files"

SETTINGS: Final = (
    "name",
    "description",
    "schema",
    "search",
    "indexes",
    "keep_versions",
    "default_ttl_s",
    "max_objects",
    "max_bytes",
)
"""What is exported of a collection: all that a client may say of one."""

ID_PATTERN: Final = r"^[A-Za-z0-9_]{1,128}$"

Json = dict[str, Any]


class _Line(BaseModel):
    """What an import needs of a line; what else stands there is for people."""

    model_config = ConfigDict(frozen=True)


class Manifest(_Line):
    """What an export is of, and how many lines each of its files has."""

    format: int
    export_id: Annotated[str, StringConstraints(pattern=ID_PATTERN)]
    version: str = Field(description="The product's version that wrote it.")
    gpt_id: str
    gateway_url: str
    begun_at: datetime
    ended_at: datetime
    lines: dict[str, Annotated[int, Field(ge=0)]]
    files: int
    file_bytes: int


class ObjectLine(_Line):
    """One object."""

    key: Key | None
    subject: Subject | None = None
    body: Json
    expires_at: AwareDatetime | None


class TypeLine(_Line):
    """One document type of the tenant's own."""

    name: TypeName
    definition: Json


class CorrectionLine(_Line):
    """What a person put in place of the machine's answer; the last one of a name counts."""

    name: str
    value: Any


class DocumentLine(_Line):
    """One document; `file` is the path of its bytes within the folder."""

    document_id: Annotated[str, StringConstraints(pattern=ID_PATTERN)]
    subject: Subject | None = None
    parent_id: str | None
    status: Status
    title: str | None
    filename: str | None
    metadata: Metadata
    requested_type: TypeName | None
    corrections: list[CorrectionLine]
    sha256: str | None
    file: str | None

    @property
    def corrected(self) -> Json:
        """Returns: the values that people gave, by field; `type` is among them."""
        return {one.name: one.value for one in self.corrections}


class CollectionLine(_Line):
    """One collection's name; its settings are checked by the gateway's own model."""

    name: CollectionName


def objects_of(collection: str) -> str:
    """Returns: the path of a collection's objects within the folder."""
    return f"objects/{collection}.jsonl"


def acting(subject: str | None) -> Json:
    """Returns: the parameters that make a call an end user's, or nobody's."""
    return {} if subject is None else {SUBJECT: subject}


def line(value: Json) -> bytes:
    """Returns: a value as one line; U+2028 and the like stay, since only LF ends a line."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
