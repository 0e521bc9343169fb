"""HTTP bodies of document types."""

from typing import Any, Literal

from pydantic import Field

from schemas.api.model import Input, Output
from schemas.document_types import DocumentType


class DocumentTypeSummary(Output):
    """A document type in a list."""

    name: str
    title: str
    description: str = Field(description="What documents of this type are; they are told by it.")
    version: int
    source: Literal["built-in", "own"] = Field(description="Whose it is; an own one goes before.")
    fields: list[str] = Field(description="Names of its fields.")


class DocumentTypeList(Output):
    """All document types that this tenant has, by name."""

    items: list[DocumentTypeSummary]


class DocumentTypeDetail(Output):
    """A document type with its whole definition."""

    name: str
    source: Literal["built-in", "own"]
    version: int
    definition: dict[str, Any] = Field(description="What PUT takes.")


class DocumentTypeInput(DocumentType):
    """A document type as PUT takes it: its name is in the path, and may be left out."""

    name: str = Field(default_factory=str, pattern=r"^[a-z][a-z0-9_]{0,62}$")


class TryInput(Input):
    """Try a document type on a stored document."""

    document_id: str = Field(max_length=128, description="The document to read by the type.")
    definition: dict[str, Any] | None = Field(
        default=None, description="A definition to try instead of the stored one."
    )
