"""The one place that says which rows and index entries a caller may see."""

from typing import Any

from sqlalchemy import ColumnElement, Table

from gateway.principal import Principal


def owned(table: Table, principal: Principal) -> list[ColumnElement[bool]]:
    """Returns: the conditions under which a row is this caller's.

    A caller with a subject sees only that end user's rows, where the table tells users apart.
    """
    conditions: list[ColumnElement[bool]] = [table.c.gpt_id == principal.gpt_id]
    if principal.subject is not None and "subject" in table.c:
        conditions.append(table.c.subject == principal.subject)
    return conditions


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
