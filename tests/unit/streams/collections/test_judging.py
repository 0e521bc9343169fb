"""The effort of writing objects whose words are indexed."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest

from schemas.writes import CreateObject, Indexes, MergeObject, TextIndex
from streams.collections import bodies, derived
from streams.collections.effort import Effort
from streams.collections.judging import Judge, Writing
from streams.collections.rejected import Rejected
from streams.collections.validation import Validators
from streams.collections.values import Caller, Collection, Loaded, Tenant
from streams.collections.world import World

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SCHEMA = {
    "required": ["title"],
    "properties": {
        "title": {"type": "string", "maxLength": 200},
        "sets": {
            "items": {
                "properties": {
                    "exercise": {"type": "string", "maxLength": 40},
                    "reps": {"type": "integer", "minimum": 1},
                    "kg": {"anyOf": [{"type": "number", "minimum": 0}, {"type": "null"}]},
                },
                "additionalProperties": False,
            }
        },
    },
}
WORKOUT = {
    "title": "Legs; and then a long walk home through the rain, and over all hills",
    "sets": [{"exercise": "squat", "reps": 5, "kg": 82.5}] * 40,
}


def world_of(*fields: str) -> World:
    """An empty collection with a schema, and an index of the words at these pointers."""
    loaded = Loaded(NOW)
    tenant = Tenant("demo", False, False, 10**6, 10**9, 0, 0)
    loaded.tenants["demo"] = tenant
    indexes = Indexes(text=TextIndex(fields=fields))
    schema = json.dumps(SCHEMA)
    made = Collection("col_1", "demo", "log", NOW, NOW, json_schema=schema, indexes=indexes)
    loaded.collections["col_1"] = made
    return World(loaded)


def judged(world: World, operations: Iterable[Writing]) -> Effort:
    """What is left to a request once all of this is done. Raises: Rejected: it is too much."""
    waiting = list(operations)
    effort, ids = Effort(operations=len(waiting)), count(len(world.objects))
    caller = Caller("demo", None)
    judge = Judge(world, Validators(), lambda _: f"obj_{next(ids)}", caller, "log", effort)
    for each in waiting:
        judge.judge(each)
    return effort


def test_a_batch_of_workouts_with_titles_to_be_found_fits() -> None:
    """What is not among the words costs what it costs anywhere: 900 kB are 474 of these."""
    assert 1680 <= bodies.of(WORKOUT).size_bytes <= 1700
    world = world_of("/title")
    judged(world, [CreateObject(body=WORKOUT)] * 474)
    assert len(world.objects) == 474


def test_asking_whether_objects_fit_indexes_no_words() -> None:
    """100 merges of nothing fit, however much of the objects is indexed."""
    world = world_of("")
    notes = {**WORKOUT, "notes": "word " * 5000}
    for _ in range(10):
        judged(world, [CreateObject(body=notes)] * 10)
    asking = judged(world, [MergeObject(object_id=name, patch={}) for name in world.objects])
    assert asking.left > 0
    with pytest.raises(Rejected, match="steps"):
        judged(world, [MergeObject(object_id=name, patch={"a": 1}) for name in world.objects])


@pytest.mark.parametrize("letter", ["w", "ж"])
def test_words_without_end_are_too_much(letter: str) -> None:
    """A batch that has all its text indexed is bound by it, in whatever script."""
    long = CreateObject(body={"title": letter, "notes": f"{letter} " * 20_000})
    judged(world_of("/title"), [long] * 60)
    with pytest.raises(Rejected, match="steps"):
        judged(world_of("/title", "/notes"), [long] * 60)


@pytest.mark.parametrize(
    ("fields", "size"),
    [(("/a",), 3), (("/a", "/b"), 3 + 4), (("", "/a"), 3 + 4), (("/c",), 0)],
)
def test_the_words_are_those_that_are_indexed(fields: tuple[str, ...], size: int) -> None:
    """In bytes, each text once."""
    body: dict[str, Any] = {"a": "one", "b": {"x": ["жж", 5]}}
    index = TextIndex(fields=fields)
    assert derived.size_of_words(index, body) == size
