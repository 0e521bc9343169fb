"""Objects over HTTP: one, and pages of them, as ready JSON."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from sqlalchemy import update

from schemas.ids import COLLECTION, OBJECT
from schemas.tables import COLLECTIONS, OBJECTS
from tests.integration.gateway.conftest import Rows

BEGAN = datetime(2026, 11, 1, 8, 0, 0, 123456, tzinfo=UTC)


@dataclass
class Shelf:
    """A collection whose rows the test writes itself."""

    rows: Rows
    name: str = field(default_factory=lambda: f"c{uuid4().hex[:12]}")
    count: int = 0

    def __post_init__(self) -> None:
        self.collection_id = self.rows.ids.mint(COLLECTION, self.rows.gpt_id)
        self.rows.add(COLLECTIONS, collection_id=self.collection_id, name=self.name)

    @property
    def path(self) -> str:
        return f"/v1/gpts/{self.rows.gpt_id}/collections/{self.name}"

    def put(self, body: dict[str, Any], **values: Any) -> str:
        self.count += 1
        object_id = self.rows.ids.mint(OBJECT, self.rows.gpt_id)
        moment = BEGAN + timedelta(microseconds=self.count)
        given = {
            "object_id": object_id,
            "collection_id": self.collection_id,
            "body": body,
            "size_bytes": len(str(body)),
            "sequence": self.count,
            "created_at": moment,
            "updated_at": moment,
            **values,
        }
        self.rows.add(OBJECTS, **given)
        return object_id

    def change(self, object_id: str, **values: Any) -> None:
        statement = update(OBJECTS).where(OBJECTS.c.object_id == object_id)
        with self.rows.engine.begin() as connection:
            connection.execute(statement.values(**values))


@pytest.fixture
def shelf(rows: Rows) -> Shelf:
    """An empty collection."""
    return Shelf(rows)


async def test_an_object_is_answered_with_its_etag(api: httpx2.AsyncClient, shelf: Shelf) -> None:
    """All its fields are there, times in UTC with microseconds, and its version is the ETag."""
    object_id = shelf.put({"mood": "good"}, key='1 "quoted"', version=7)
    answer = await api.get(f"/v1/objects/{object_id}")
    assert answer.status_code == 200
    assert answer.headers["etag"] == '"7"'
    assert answer.json() == {
        "id": object_id,
        "gpt_id": shelf.rows.gpt_id,
        "collection": shelf.name,
        "key": '1 "quoted"',
        "version": 7,
        "size_bytes": 16,
        "created_at": "2026-11-01T08:00:00.123457Z",
        "updated_at": "2026-11-01T08:00:00.123457Z",
        "expires_at": None,
        "body": {"mood": "good"},
    }
    by_key = await api.get(f"{shelf.path}/objects/by-key/1%20%22quoted%22")
    assert by_key.json() == answer.json()
