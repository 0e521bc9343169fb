"""Which index serves which filter: read from Postgres' own plans, as the gateway's role."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from gateway.direct import Direct
from gateway.principal import Principal
from gateway.queries import collections, object_pages
from gateway.queries.object_filters import compiled
from gateway.queries.object_pages import Wanted
from gateway.settings import GatewaySettings
from schemas.ids import COLLECTION
from schemas.object_where import parse
from schemas.tables import COLLECTIONS
from streams.settings import Settings
from tests.integration.gateway.conftest import Rows

INDEXES = {
    "equality": True,
    "ordered": ["/mood", "/date"],
    "text": {"fields": ["/text"], "language": "english", "fragments": True},
}
FILL = """
INSERT INTO objects (object_id, gpt_id, collection_id, body, size_bytes, sequence, slots,
                     filterable, words, fragments, created_at)
SELECT :prefix || n, :gpt_id, :collection_id, body, 200, n,
       jsonb_build_array(body -> 'mood', body -> 'date'), true,
       to_tsvector('english', body ->> 'text'), lower(body ->> 'text'),
       timestamptz '2026-01-01' + n * interval '1 second'
FROM (SELECT n, jsonb_build_object(
        'mood', n % 100, 'kind', 'k' || n % 5000, 'date', date '2020-01-01' + n % 2000,
        'text', 'word' || n % 3000 || ' and some more text that is the same in all'
      ) AS body FROM generate_series(1, 20000) n) made
"""


@pytest.fixture(scope="module")
def filled(rows: Rows, settings: Settings) -> Iterator[str]:
    """The name of a collection of 20,000 objects among as many of another one."""
    for name in ("indexed", "other"):
        collection_id = rows.ids.mint(COLLECTION, rows.gpt_id)
        rows.add(
            COLLECTIONS,
            collection_id=collection_id,
            name=name,
            indexes=INDEXES,
            object_count=20_000,
        )
        given = {"prefix": f"{name}_", "gpt_id": rows.gpt_id, "collection_id": collection_id}
        with rows.engine.begin() as connection:
            connection.execute(text(FILL), given)
    assert settings.admin_database_url is not None
    admin = create_engine(settings.admin_database_url.get_secret_value())
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE objects"))
    admin.dispose()
    yield "indexed"
    with rows.engine.begin() as connection:
        connection.execute(text("DELETE FROM objects WHERE object_id ~ '^(indexed|other)_'"))
        connection.execute(text("DELETE FROM collections WHERE name IN ('indexed', 'other')"))


@pytest.fixture
async def direct(gateway_settings: GatewaySettings) -> AsyncIterator[Direct]:
    """The gateway's way to Postgres."""
    opened = Direct(gateway_settings)
    yield opened
    await opened.close()


def _indexes(plan: Any) -> set[str]:
    if isinstance(plan, list):
        return set().union(*map(_indexes, plan))
    if not isinstance(plan, dict):
        return set()
    inner = set().union(*map(_indexes, plan.values())) if plan else set()
    return inner | ({plan["Index Name"]} if "Index Name" in plan else set())


CASES: list[tuple[dict[str, Any], str | None, str]] = [
    ({}, None, "objects_in_order"),
    ({"mood": 7}, None, "objects_slot_0"),
    ({"mood": 7, "text": {"contains": "more"}}, None, "objects_slot_0"),
    ({"date": {"gte": "2025-06-20"}}, None, "objects_slot_1"),
    ({"date": {"in": ["2021-01-01", "2021-01-02"]}}, None, "objects_slot_1"),
    ({"kind": "k77"}, None, "objects_containing"),
    ({"kind": {"in": ["k77", "k78"]}}, None, "objects_containing"),
    ({}, "word77", "objects_with_words"),
    ({}, "word77", "objects_with_fragments"),
    # No index serves it: the collection is walked, in whichever order costs least.
    ({"kind": {"prefix": "k77"}}, None, "objects_in_order objects_by_change"),
    ({"$created_at": {"gte": "2026-01-01T05:00:00Z"}}, None, "objects_in_order"),
]


@pytest.mark.parametrize("plans", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize("after", [None, ("2026-01-01T01:00:00.000000Z", "indexed_3600")])
@pytest.mark.parametrize(("where", "q", "index"), CASES)
async def test_the_index_serves_the_filter(  # noqa: PLR0917 - each is a part of the case
    direct: Direct,
    rows: Rows,
    filled: str,
    where: dict[str, Any],
    q: str | None,
    index: str,
    after: tuple[str, str] | None,
    plans: str,
) -> None:
    """With values known to the planner and without, on the first page and behind a cursor."""
    principal = Principal(rows.gpt_id, None, "key", frozenset({"read"}), None)
    shape = await collections.shape(direct, principal, filled)
    wanted = Wanted(filled, 50, after=after, filter=compiled(parse(json.dumps(where)), shape, q))
    statement = object_pages.statements(principal, wanted)[-1]
    await direct.rows(rows.gpt_id, f"SELECT set_config('plan_cache_mode', '{plans}', false)")
    given = object_pages.values_of(principal, wanted)
    # The second time it is a prepared statement, whose plan may be made without the values.
    for _ in range(2):
        [(plan,)] = await direct.rows(rows.gpt_id, f"EXPLAIN (FORMAT JSON) {statement}", given)
    assert _indexes(plan) & set(index.split())


ONE = "SELECT 1 FROM tenant_objects o JOIN collections c USING (collection_id) WHERE "
OWNER = "coalesce(o.subject COLLATE \"C\", '') = ''"
KEY = f"c.name = 'indexed' AND o.deleted_at IS NULL AND {OWNER} AND o.key = %s"


@pytest.mark.parametrize(
    ("condition", "index"), [("o.object_id = %s", "objects_pkey"), (KEY, "objects_by_key")]
)
async def test_one_object_is_read_by_its_keys(
    direct: Direct, rows: Rows, filled: str, condition: str, index: str
) -> None:
    """By its id, and by its key among all of the tenant's."""
    assert filled
    [(plan,)] = await direct.rows(rows.gpt_id, f"EXPLAIN (FORMAT JSON) {ONE}{condition}", ("x",))
    assert index in _indexes(plan)
