"""Looking through what is stored: only where it matters, and never for long at once."""

import asyncio
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from schemas.writes import DefineCollection
from streams.collections import stored
from streams.collections.loading import Asked
from streams.collections.rejected import Rejected, missing
from streams.collections.values import Caller, Collection, Loaded, Tenant
from streams.collections.world import World

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SCHEMA = {"type": "object", "properties": {"n": {"items": {"type": "integer"}}}}
CALLER = Caller("demo", None)


@dataclass
class Stored:
    """A connection that answers every statement with these objects, at once."""

    objects: list[tuple[str, str]]
    statements: list[str] = field(default_factory=list)
    rownumber: int = 0

    @property
    def sync_connection(self) -> SimpleNamespace:
        """The way from SQLAlchemy's connection to that of the driver."""
        return SimpleNamespace(connection=SimpleNamespace(driver_connection=self))

    async def execute(self, statement: bytes, parameters: Any) -> "Stored":
        del parameters
        self.statements.append(statement.decode())
        return self

    async def fetchall(self) -> list[tuple[str, str]]:
        return self.objects


def held(size_bytes: int = 0) -> World:
    """A tenant with one collection."""
    counts = {"max_objects": 9, "max_bytes": 9, "object_count": 0, "byte_count": 0}
    tenant = Tenant("demo", disabled=False, deleted=False, **counts)
    one = Collection("col_1", "demo", "diary", NOW, NOW, byte_count=size_bytes)
    return World(Loaded(NOW, {"demo": tenant}, {"col_1": one}))


def asked(schema: dict[str, Any] | None = None) -> Asked:
    """Ask for a schema that what is stored fits."""
    operation = DefineCollection(
        json_schema=schema or SCHEMA, check_stored=True, given=("json_schema",)
    )
    return Asked(CALLER, "diary", operation)


async def objection(world: World, one: Asked, connection: Any) -> Rejected | None:
    """What is stored has against it, when nothing else has."""
    return await stored.objection(connection, world, one, lambda: None)


async def test_what_is_refused_anyway_costs_no_look() -> None:
    """And what the judging did is undone."""
    world, connection = held(), Stored([])

    def refuses() -> None:
        world.count("demo", 1, 1)
        raise missing("collection")

    made: Any = connection
    assert await stored.objection(made, world, asked(), refuses) is None
    assert connection.statements == []
    assert world.tenants["demo"].object_count == 0


async def test_others_go_on_while_it_looks() -> None:
    """Each stretch between two pauses is some hundredths of a second, whatever the whole takes."""
    body = json.dumps({"n": list(range(3000))})
    connection = Stored([(f"obj_{n:03}", body) for n in range(499)])
    looking = asyncio.create_task(objection(held(), asked(), connection))
    went_on = 0
    while not looking.done():
        await asyncio.sleep(0)
        went_on += 1
    assert looking.result() is None
    assert went_on > 2


async def test_what_does_not_fit_is_named() -> None:
    """By its id."""
    connection = Stored([("obj_1", '{"n": [1]}'), ("obj_2", '{"n": ["x"]}')])
    found = await objection(held(), asked(), connection)
    assert found is not None
    assert (found.code, found.status) == ("schema_breaks_stored", 409)
    assert "obj_2" in found.detail


async def test_no_single_body_is_too_much() -> None:
    """One that could not be written under the schema is not looked at for longer either."""
    values = {"properties": {f"p{n}": {"pattern": "a"} for n in range(200)}}
    schema = {"additionalProperties": {"allOf": [values] * 10, "items": values}}
    connection = Stored([("obj_1", json.dumps({"n": [{}] * 50_000}))])
    found = await objection(held(), asked(schema), connection)
    assert found is not None
    assert found.code == "too_complex"
