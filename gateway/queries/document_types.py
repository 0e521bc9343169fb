"""Reads of document types: the built-in ones and, before them, the tenant's own."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from gateway.database import Reader
from gateway.errors import NotFound
from gateway.principal import Principal
from gateway.queries.scope import owned
from schemas.api.document_types import DocumentTypeDetail, DocumentTypeList, DocumentTypeSummary
from schemas.document_types import builtin
from schemas.tables import DOCUMENT_TYPES


async def all_of(reader: Reader, principal: Principal) -> DocumentTypeList:
    """Returns: every type that this tenant has, by name."""
    statement = select(DOCUMENT_TYPES).where(*owned(DOCUMENT_TYPES, principal))
    rows = await reader.rows(statement, principal.gpt_id)
    found = {
        name: _summary("built-in", one.version, one.model_dump(mode="json"))
        for name, one in builtin().items()
    }
    for row in rows:
        found[row["name"]] = _summary("own", row["version"], row["definition"])
    return DocumentTypeList(items=[found[name] for name in sorted(found)])


async def one(reader: Reader, principal: Principal, name: str) -> DocumentTypeDetail:
    """Returns: one type with its definition.

    Raises:
        NotFound: there is no such type.
    """
    statement = select(DOCUMENT_TYPES).where(
        DOCUMENT_TYPES.c.name == name, *owned(DOCUMENT_TYPES, principal)
    )
    row = await reader.row(statement, principal.gpt_id)
    if row is not None:
        return DocumentTypeDetail(
            name=name, source="own", version=row["version"], definition=row["definition"]
        )
    known = builtin().get(name)
    if known is None:
        raise NotFound("there is no such document type; GET /v1/document-types lists them")
    definition = known.model_dump(mode="json", exclude_none=True)
    return DocumentTypeDetail(
        name=name, source="built-in", version=known.version, definition=definition
    )


def _summary(source: Any, version: int, definition: Mapping[str, Any]) -> DocumentTypeSummary:  # noqa: ANN401
    return DocumentTypeSummary(
        name=definition["name"],
        title=definition["title"],
        description=definition["description"],
        version=version,
        source=source,
        fields=list(definition["fields"]["properties"]),
    )
