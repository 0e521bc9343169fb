"""JSON Schema: what fits, what is wrong all at once, and what is refused before it costs much."""

import json
from typing import Any

import pytest

from streams.collections import bodies, complexity, validation
from streams.collections.complexity import MAX_STEPS, TooComplex
from streams.collections.effort import Effort
from streams.collections.rejected import Rejected
from streams.collections.validation import MAX_ERRORS, MOST_LISTED, Validators


def errors(schema: dict[str, Any], body: dict[str, Any]) -> list[tuple[str, str]]:
    """What is wrong with a body, as pointers and sentences; nothing where it fits."""
    try:
        check(schema, body)
    except Rejected as error:
        return [(each.pointer, each.detail) for each in error.errors]
    return []


def check(schema: dict[str, Any], body: dict[str, Any]) -> None:
    """Check a body. Raises: Rejected."""
    Validators().check(json.dumps(schema), bodies.of(body), Effort())


def refused(schema: dict[str, Any]) -> str:
    """Why a schema is not taken."""
    with pytest.raises(Rejected) as caught:
        validation.ready(schema)
    assert (caught.value.status, caught.value.code) == (422, "invalid_schema")
    assert caught.value.errors[0].pointer.startswith("/schema")
    return caught.value.detail


def test_all_errors_come_at_once() -> None:
    """Each has its place in the body, and none quotes a value."""
    schema = {
        "required": ["date", "title"],
        "properties": {"a/b": {"type": "string"}, "tags": {"items": {"maxLength": 3}}},
    }
    found = errors(schema, {"a/b": 4711, "tags": ["ok", "secret words"]})
    assert {pointer for pointer, _ in found} == {"/body", "/body/a~1b", "/body/tags/1"}
    assert len(found) == 4
    assert "4711" not in str(found)
    assert "secret" not in str(found)


def test_the_first_50_errors_are_told() -> None:
    """A body with a thousand errors gets an answer that can be read."""
    schema = {"properties": {"a": {"items": {"type": "string"}}}}
    assert len(errors(schema, {"a": list(range(1000))})) == MAX_ERRORS
    many = {"a": list(range(MOST_LISTED // 3))}
    assert errors(schema, many) == [("/body", "It is too large for a list of errors.")]


@pytest.mark.parametrize(
    ("schema", "name"),
    [
        ({"additionalProperties": {"additionalProperties": {"type": "string"}}}, "k" * 100_000),
        ({"properties": {"k": {"properties": {"k" * 30_000: {}}, "not": {}}}}, "k"),
    ],
    ids=["in the body", "in the schema"],
)
def test_errors_below_a_long_name_are_not_listed(schema: dict[str, Any], name: str) -> None:
    """The validator would copy the name for each of thousands of errors, before the first."""
    found = errors(schema, {name: {str(number): 0 for number in range(9000)}})
    assert found == [("/body", "It is too large for a list of errors.")]


def test_one_error_below_a_long_name_is_told() -> None:
    """Where few can be wrong, the place costs little."""
    schema = {"additionalProperties": {"type": "string"}}
    [(pointer, _)] = errors(schema, {"k" * 5000: 1, "b": "x"})
    assert pointer.startswith("/body/kkk")


def test_numbers_of_any_size_are_checked_exactly() -> None:
    """No integer becomes a double on its way through the validator."""
    schema = {"properties": {"a": {"const": 10**30}, "b": {"maximum": 2**64}}}
    assert errors(schema, {"a": 10**30, "b": 2**64}) == []
    assert len(errors(schema, {"a": 10**30 + 1, "b": 2**64 + 1})) == 2


@pytest.mark.parametrize("pattern", ["(?=a)b", "(?<!a)b", r"(a)\1", r"(\w{500}){500}", "("])
def test_patterns_that_could_not_end_are_refused(pattern: str) -> None:
    """What the linear matcher does not know, or what is huge when compiled, is not taken."""
    assert "pattern" in refused({"properties": {"a": {"pattern": pattern}}})


def test_a_catastrophic_pattern_is_harmless() -> None:
    """What makes a backtracking matcher work for years is matched in one pass."""
    [(pointer, _)] = errors(
        {"properties": {"a": {"pattern": "^(a+)+$"}}}, {"a": "a" * 50_000 + "!"}
    )
    assert pointer == "/body/a"


@pytest.mark.parametrize(
    "reference",
    ["http://example.com/x", "file:///etc/passwd", "other.json", "#name", "#/$defs/none", "", 3],
)
def test_references_stay_in_the_schema(reference: Any) -> None:
    """Nothing is fetched, from no network and no disk."""
    refused({"$ref": reference})


@pytest.mark.parametrize("name", ["$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef"])
def test_references_that_depend_on_the_way_are_refused(name: str) -> None:
    """What they lead to cannot be known beforehand."""
    refused({"properties": {"a": {name: "#x"}}})


def test_what_looks_like_a_reference_in_data_is_data() -> None:
    """Properties and constants may be called $ref."""
    schema = {"properties": {"$ref": {"enum": [{"$ref": "http://example.com"}]}}}
    assert errors(schema, {"$ref": {"$ref": "http://example.com"}}) == []


def test_a_schema_of_trees_ends_with_the_body() -> None:
    """A schema that refers to itself is taken, and checks to the body's last level."""
    node = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "in": {"items": {"$ref": "#/$defs/node"}}},
    }
    schema = {"$defs": {"node": node}, "$ref": "#/$defs/node"}
    body: dict[str, Any] = {"name": 1}
    for _ in range(20):
        body = {"in": [body]}
    assert [pointer for pointer, _ in errors(schema, body)] == ["/body" + "/in/0" * 20 + "/name"]


def chain(count: int, *, twice: bool) -> dict[str, Any]:
    """Definitions of which each refers to the next, once or twice."""
    defs: dict[str, Any] = {
        f"a{at}": {"allOf": [{"$ref": f"#/$defs/a{at + 1}"}] * (1 + twice)} for at in range(count)
    }
    return {"$defs": {**defs, f"a{count}": {}}, "$ref": "#/$defs/a0"}


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"allOf": [{"anyOf": [{"$ref": "#"}]}]},
        chain(12, twice=True),
        chain(400, twice=False),
        {"properties": {"a": {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}}},
        {"anyOf": [{"const": number} for number in range(1000)]},
        {"enum": [{"a": number} for number in range(1000)]},
    ],
    ids=["itself", "itself-2", "2^12", "a-long-chain", "2^64-deep", "many-consts", "objects"],
)
def test_a_schema_that_would_take_for_ever_is_refused(schema: dict[str, Any]) -> None:
    """Its steps are known before any body is checked, and the answer comes at once."""
    refused(schema)


@pytest.mark.parametrize(
    ("schema", "steps"),
    [
        ({}, 1),
        ({"type": "object", "properties": {"a": {}, "b": {"anyOf": [{}, {}]}}}, 4),
        (chain(3, twice=False), 8),
        ({"enum": [str(number) for number in range(3000)]}, 1),
    ],
)
def test_steps_are_those_of_the_longest_way(schema: dict[str, Any], steps: int) -> None:
    """Of a body's members, each meets its own schema only."""
    assert complexity.steps(complexity.parts_of(schema)) == steps < MAX_STEPS


def test_ten_thousand_properties_are_taken_or_refused_by_size() -> None:
    """The limit is that of a schema's bytes, and the answer says it."""
    short: dict[str, Any] = {"properties": {f"{number}": {} for number in range(6000)}}
    assert errors(short, {"1": 1}) == []
    long: dict[str, Any] = {"properties": {f"property_{number}": {} for number in range(10_000)}}
    assert "at most 65,536" in refused(long)


def test_a_large_schema_that_leads_back_to_itself_is_refused() -> None:
    """Counting its steps alone would take seconds."""
    parts = {f"p{at}": {"items": {"$ref": f"#/$defs/p{(at + 1) % 900}"}} for at in range(900)}
    found = complexity.parts_of({"$defs": parts, "$ref": "#/$defs/p0"})
    with pytest.raises(TooComplex, match="leads back"):
        complexity.steps(found)


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"type": "wrong"}, "/type"),
        ({"properties": []}, "/properties"),
        ({"const": "\x00"}, "NUL"),
        ({"properties": {"a": {"$id": "x"}}}, "$id"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "2020-12"),
        ({"minimum": float("inf")}, "double"),
    ],
)
def test_what_is_no_schema_is_refused(schema: dict[str, Any], why: str) -> None:
    """The answer says what is wrong where."""
    assert why in refused(schema)


def test_depth_has_a_limit() -> None:
    """32 levels of a schema are taken."""
    schema: dict[str, Any] = {}
    for _ in range(32):
        schema = {"not": schema}
    assert "deeper" in refused(schema)


def test_a_body_that_would_take_too_long_is_not_checked() -> None:
    """Values times steps is the bound, for all that one request asks together."""
    numbers = {"items": {"anyOf": [{"minimum": number} for number in range(500)]}}
    with pytest.raises(Rejected) as caught:
        check({"properties": {"a": numbers}}, {"a": [0] * 5000})
    assert caught.value.code == "too_complex"


def test_unique_integers_beyond_64_bits_are_not_compared_for_minutes() -> None:
    """The validator compares them each with each."""
    schema = {"properties": {"a": {"uniqueItems": True}}}
    assert errors(schema, {"a": [10**30 + number for number in range(50)]}) == []
    with pytest.raises(Rejected, match="steps"):
        check(schema, {"a": [10**30 + number for number in range(1000)]})


def test_the_most_recently_used_schemas_are_kept() -> None:
    """Memory is bounded, and a schema that is forgotten is made ready again."""
    validators = Validators()
    body = bodies.of({"a": 1})
    for number in range(300):
        validators.check(json.dumps({"minProperties": 1, "title": str(number)}), body, Effort())
    assert len(validators._known) == 256


def test_few_schemas_are_kept_that_have_long_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """The validator keeps a long name for each part below it; the latest schema stays."""
    monkeypatch.setattr(validation, "_KEPT_PLACES", 50_000)
    validators = Validators()
    below: dict[str, Any] = {"properties": {str(number): {} for number in range(20)}}
    for letter in "abc":
        long = json.dumps({"properties": {letter * 1000: below}})
        for _ in range(2):
            validators.check(long, bodies.of({"a": 1}), Effort())
    assert len(validators._known) == 2
    monkeypatch.setattr(validation, "_KEPT_PLACES", 1)
    validators.check(long, bodies.of({"a": 1}), Effort())
    assert list(validators._known) == [long]
