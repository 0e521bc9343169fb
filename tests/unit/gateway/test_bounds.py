"""What a column or a calendar cannot hold is refused at the edge, not found out in the database."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from gateway.errors import TooLarge
from gateway.routes.admin_keys import _as_long
from gateway.submission import check_record
from schemas.api.collections import CollectionChange
from schemas.api.tenants import ApiKeyInput, GptInput, KeyFacts
from schemas.writes import PatchObject, WriteCollection


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (ApiKeyInput, {"name": "x", "expires_at": "9999-12-31T23:59:59-01:00"}),
        (ApiKeyInput, {"name": "x", "expires_at": "0001-01-01T00:00:00+01:00"}),
        (GptInput, {"gpt_id": "x", "max_objects": 2**63}),
        (CollectionChange, {"max_objects": 2**63}),
        (CollectionChange, {"max_bytes": 10**400}),
    ],
)
def test_what_nobody_could_read_again_is_invalid(
    model: type[BaseModel], values: dict[str, Any]
) -> None:
    """Times that leave the calendar in UTC, and figures beyond a bigint."""
    with pytest.raises(ValidationError):
        model.model_validate(values)


@pytest.mark.parametrize("year", [2027, 9998])
def test_a_rotated_key_lives_as_long_as_the_old_one(year: int) -> None:
    """As far as the calendar goes."""
    made, now = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
    ends = datetime(year, 12, 30, tzinfo=UTC)
    old = KeyFacts(
        key_id="0123456789abcdef",
        gpt_id="diary",
        name="x",
        scopes=["read"],
        subject=None,
        rate_limits=None,
        created_at=made,
        expires_at=ends,
        revoked_at=None,
        replaced_by=None,
    )
    assert _as_long(old, now) == min(ends + timedelta(days=30), datetime(9998, 12, 31, tzinfo=UTC))


def test_what_no_record_can_hold_is_too_large() -> None:
    """Short numbers are long when they are written out, so the body's own limit is not enough."""
    patch = ({"op": "add", "path": "/a", "value": [1e15] * 60_000},)
    message = WriteCollection(collection="c", operation=PatchObject(object_id="o", patch=patch))
    with pytest.raises(TooLarge):
        check_record(message)
