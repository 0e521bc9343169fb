"""What all lists share: `where`, `limit`, `cursor`, and the link to the next page."""

from collections.abc import Callable
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import Query, Request, Response

from gateway import acting
from gateway.cursors import MAX_CHARS
from gateway.errors import InvalidInput
from gateway.public import link
from schemas.api.model import SUBJECT
from schemas.problems import FieldError
from schemas.where import MAX_TEXT, Condition, InvalidWhere, parse

DEFAULT_LIMIT: Final = 20
MAX_LIMIT: Final = 100

WhereQuery = Annotated[
    str | None,
    Query(
        max_length=MAX_TEXT,
        description='Conditions as JSON, all of which hold: {"type":"invoice","fields.total":'
        '{"gte":100},"metadata.customer":"ACME"}. Operators: eq ne gt gte lt lte in prefix exists '
        "contains. Names: status type needs_review content_type filename created_at confidence "
        "batch_id sha256 metadata.<key> fields.<name>.",
    ),
]
LimitQuery = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Most items of a page.")]
CursorQuery = Annotated[
    str | None,
    Query(max_length=MAX_CHARS, description="next_cursor of the page before; the rest unchanged."),
]


Where = str | dict[str, Any] | None


def conditions(
    where: Where, read: Callable[[Where], tuple[Condition, ...]] = parse
) -> tuple[Condition, ...]:
    """Returns: the conditions of a `where`, by default on documents.

    Raises:
        InvalidInput: it cannot be used; pointers begin with /where.
    """
    try:
        return read(where)
    except InvalidWhere as error:
        errors = [
            FieldError(pointer=f"/where{one.pointer}", detail=one.detail) for one in error.errors
        ]
        detail = "; ".join(f"{one.pointer}: {one.detail}" for one in errors[:3])
        raise InvalidInput(detail, errors=errors) from error


def link_next(request: Request, response: Response, cursor: str | None) -> None:
    """Add `Link: …; rel="next"` (RFC 8288) where there is a next page.

    It names the end user whom the call is for, who may have been named in a header alone.
    """
    if cursor is not None:
        asked = {**request.query_params, "cursor": cursor}
        for _, subject in acting.in_headers(request.scope):
            asked[SUBJECT] = subject
        following = f"{link(request.scope['path'])}?{urlencode(asked)}"
        response.headers["Link"] = f'<{following}>; rel="next"'
