"""The one place that says which rows and index entries a caller may see."""

from typing import Any

from sqlalchemy import Column, ColumnElement, Table, select

from gateway.database import Reader
from gateway.errors import NotFound
from gateway.principal import Principal


def owned(table: Table, principal: Principal) -> list[ColumnElement[bool]]:
    """Returns: the conditions under which a row is this caller's.

    A caller with a subject sees only that end user's rows, where the table tells users apart.
    """
    conditions: list[ColumnElement[bool]] = [table.c.gpt_id == principal.gpt_id]
    if principal.subject is not None and "subject" in table.c:
        conditions.append(table.c.subject == principal.subject)
    return conditions


async def check_no_others(
    reader: Reader, principal: Principal, column: Column[Any], value: str
) -> None:
    """Check that what a caller finds nothing of is not there for somebody else.

    Ids are signed for a tenant, not for an end user: of one that was handed out and is not stored
    it is not known whose it is, and of one that is stored it is.

    Args:
        reader: where it is looked up.
        principal: who found nothing; whoever has no subject sees all of the tenant anyway.
        column: of a table that tells end users apart, the column of its id.
        value: the id.

    Raises:
        NotFound: it is another end user's, or nobody's.
    """
    if principal.subject is None:
        return
    table = column.table
    others = select(column).where(
        column == value,
        table.c.gpt_id == principal.gpt_id,
        table.c.subject.is_distinct_from(principal.subject),
    )
    if await reader.row(others, principal.gpt_id) is not None:
        raise unseen()


def unseen() -> NotFound:
    """Returns: the error that what an id names is not this caller's."""
    return NotFound("there is nothing of this id that this caller may see; check the id")


def owned_entries(principal: Principal) -> list[dict[str, Any]]:
    """Returns: the filter clauses under which an index entry is this caller's."""
    clauses: list[dict[str, Any]] = [{"term": {"gpt_id": principal.gpt_id}}]
    if principal.subject is not None:
        clauses.append({"term": {"subject": principal.subject}})
    return clauses


def seen(principal: Principal) -> tuple[str, tuple[str, ...]]:
    """Returns: SQL to add to a condition on the objects `o`, and the value in it if there is one.

    The tenant is a condition of the statement itself; this is the end user's part.
    """
    if principal.subject is None:
        return "", ()
    return " AND o.subject = %s", (principal.subject,)
