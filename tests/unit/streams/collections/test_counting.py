"""The effort of checking bodies, where it is counted along their values."""

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.collections import bodies, complexity, counting
from streams.collections.complexity import Part
from streams.collections.effort import Effort
from streams.collections.rejected import Rejected
from streams.collections.validation import Validators

DIARY: dict[str, Any] = {
    "properties": {
        "date": {"pattern": r"^\d{4}-\d{2}-\d{2}$"},
        "text": {"type": "string", "maxLength": 5000},
        "tags": {"items": {"type": "string", "maxLength": 40, "pattern": "^[a-z0-9-]+$"}},
    },
    "additionalProperties": False,
}
TAGS = [f"tag-{number}" for number in range(60)]


def test_a_batch_of_ordinary_objects_fits() -> None:
    """500 with a list in each: it does not count as if each text met the worst of the schema."""
    body = bodies.of({"date": "2026-11-01", "text": "x" * 200, "tags": TAGS})
    validators, effort = Validators(), Effort(operations=500)
    for _ in range(500):
        effort.spend(body.values * 7)
        validators.check(json.dumps(DIARY), body, effort)
    assert effort.left > 0


def test_what_is_counted_in_vain_is_not_counted_again() -> None:
    """A batch of bodies that are too much ends with the first."""
    numbers = {"properties": {"a": {"items": {"anyOf": [{"minimum": n} for n in range(500)]}}}}
    effort = Effort(operations=500)
    with pytest.raises(Rejected, match="1,000,000 are left"):
        Validators().check(json.dumps(numbers), bodies.of({"a": [0] * 5000}), effort)
    assert effort.left == 0


@pytest.mark.parametrize(
    ("schema", "body", "steps"),
    [
        ({}, {"a": [1] * 100}, 2),
        ({"properties": {"a": {}}}, {"a": 1, "b": 2}, 1 + 2 + 2 + 1),
        ({"properties": {"a": {"pattern": "x"}}}, {"a": "12345678"}, 1 + 1 + 2 + 1 + 2 + 2),
        ({"properties": {"a": {"pattern": "x"}}}, {"a": "x" * 500}, 1 + 1 + 2 + 1 + 20),
        ({"additionalProperties": {"items": {}}}, {"a": [1, 2]}, 1 + 1 + 2 + 1 + 2 + 4 + 2),
        ({"allOf": [{}], "unevaluatedProperties": {}}, {"a": 1}, 1 + 1 + 4 + 3 + 1 + 1),
        ({"prefixItems": [{}, {}], "items": {"not": {}}}, {}, 1),
    ],
)
def test_steps_are_counted_along_the_values(
    schema: dict[str, Any], body: dict[str, Any], steps: int
) -> None:
    """What each meets itself, a step for each value within, and two for each part at a value."""
    parts = complexity.parts_of(schema)
    complexity.steps(parts)
    assert counting.steps(parts.numbered, body, 10**6) == steps


NAMES = st.sampled_from("ab")
SCHEMAS = st.recursive(
    st.sampled_from([{}, {"pattern": "x"}, {"const": [1, 2]}]),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "properties": st.dictionaries(NAMES, inner, max_size=2),
            "patternProperties": st.dictionaries(NAMES, inner, max_size=2),
            "additionalProperties": inner,
            "unevaluatedProperties": inner,
            "items": inner,
            "prefixItems": st.lists(inner, min_size=1, max_size=2),
            "contains": inner,
            "allOf": st.lists(inner, min_size=1, max_size=2),
            "not": inner,
        },
    ),
    max_leaves=6,
)
VALUES = st.recursive(
    st.none() | st.text("x", max_size=90),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=12,
)


@given(SCHEMAS, st.dictionaries(NAMES, VALUES, max_size=2))
def test_no_count_is_far_above_the_bound(schema: dict[str, Any], body: dict[str, Any]) -> None:
    """Without the steps of counting itself it would never be above it."""
    parts = complexity.parts_of(schema)
    bound = bodies.of(body).values * complexity.steps(parts)
    assert counting.steps(parts.numbered, body, 10**6) <= 5 * bound


def test_counting_ends_where_it_is_too_much() -> None:
    """Before millions of pairs of parts and values are in memory."""
    schema: dict[str, Any] = {"patternProperties": {f"a{number}": {} for number in range(190)}}
    body: dict[str, Any] = {f"a{number}": {} for number in range(15_000)}
    assert counting.steps(complexity.parts_of(schema).numbered, body, 1000) > 5_000_000


def test_no_place_is_put_together_to_count() -> None:
    """A name of 50 KB above 20,000 members is in no text but its own, and costs what "a" does."""

    def parts_below(name: str) -> list[Part]:
        checks = [{"maxProperties": 100_000, "title": str(number)} for number in range(40)]
        return complexity.parts_of({"properties": {name: {"allOf": checks}}}).numbered

    long = "k" * 50_000
    texts = [name for part in parts_below(long) for name in part.members]
    assert [name is long for name in texts] == [True]
    members = {Untouched(number): 0 for number in range(20_000)}
    counts = {counting.steps(parts_below(name), {name: members}, 10**9) for name in (long, "a")}
    assert len(counts) == 1
    assert min(counts) > 41 * 20_000


class Untouched(str):
    """A name that no other text may be made of."""

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        raise AssertionError

    def replace(self, *_: object) -> str:
        raise AssertionError


def test_what_is_kept_of_a_schema_is_not_longer_than_it() -> None:
    """Neither counting nor defining copies a long name for each of the parts below it."""
    schema: dict[str, Any] = {"properties": {"k" * 30_000: {"properties": {}}}}
    schema["properties"]["k" * 30_000]["properties"] = {f"{number}": {} for number in range(2500)}
    tracemalloc.start()
    try:
        complexity.steps(complexity.parts_of(schema))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 4 * 1024 * 1024
