"""A bound on the steps of checking a body against a JSON Schema, known before any body is there.

A validator walks through all that a schema asks at a place of the body, and a few lines of `allOf`
and `$ref` can ask 2^64 things of one place. `steps` finds the most that a schema asks along any way
from the body's root to one of its values; so a body of n values takes at most n times as many.

Weights were measured: one step is about 0.3 microseconds. Keywords: JSON Schema 2020-12,
https://json-schema.org/draft/2020-12
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

from schemas import pointers
from schemas.json_values import MAX_DEPTH, escaped

MAX_STEPS: Final = 4000
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

PATTERN_STEPS: Final = 20
_COMPARED_STEPS: Final = 10
_MOST_INTEGER: Final = 2**63
_MOST_IN_A_ROW: Final = 50
_MOST_LOOKS: Final = 40_000
_UNEVALUATED: Final = ("unevaluatedProperties", "unevaluatedItems")
# With these, what a reference means depends on the way to it, or on other documents.
_REFUSED: Final = ("$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveRef", "$recursiveAnchor")


class TooComplex(ValueError):
    """A schema that is not taken; `pointer` says where in it, `detail` why."""

    def __init__(self, pointer: str, detail: str) -> None:
        super().__init__(detail)
        self.pointer = pointer
        self.detail = detail


def steps(schema: dict[str, Any]) -> int:
    """Returns: the most steps that a body of one value a level takes.

    Raises: TooComplex: more than 4,000; or the schema refers to what is not in it, or to itself
        without going deeper into the body.
    """
    parts = parts_of(schema)
    below: dict[str, int] = dict.fromkeys(parts, 0)
    for levels in range(MAX_DEPTH + 1):
        if levels * len(parts) > _MOST_LOOKS:
            detail = f"{len(parts):,} parts are too many for a schema that leads back to itself"
            raise TooComplex("", detail)
        level = _Level(parts, below)
        found = {place: level.steps(place) for place in parts}
        if found == below:
            break
        below = found
    return below[""]


@dataclass(frozen=True, slots=True)
class Part:
    """A schema within the schema: what it takes itself, and which others it leads to.

    `pattern` says that `own` has `PATTERN_STEPS` for a pattern that the value is to match, `again`
    that the schema asks for what was evaluated.

    `same` apply to the same value, all others to its children: each member meets one of `members`
    or all of `others`, each item one of `first` or all of `rest`, and `every` apply to all of them.
    """

    own: int
    pattern: bool
    again: bool
    same: tuple[str, ...]
    members: tuple[str, ...]
    others: tuple[str, ...]
    first: tuple[str, ...]
    rest: tuple[str, ...]
    every: tuple[str, ...]


@dataclass(slots=True)
class _Level:
    """The steps of all parts on a body of one level more than `below` was found for."""

    parts: dict[str, Part]
    below: dict[str, int]
    known: dict[str, int] = field(default_factory=dict)
    row: list[str] = field(default_factory=list)

    def steps(self, place: str) -> int:
        """Returns: the steps of one part."""
        if place in self.known:
            return self.known[place]
        if place in self.row:
            detail = "the schema refers to itself without going deeper into the body"
            raise TooComplex(place, detail)
        if len(self.row) == _MOST_IN_A_ROW:
            detail = f"more than {_MOST_IN_A_ROW} references or combinations lead on to another"
            raise TooComplex(place, detail)
        self.row.append(place)
        part = self.parts[place]
        here = sum(map(self.steps, part.same))
        self.row.pop()
        deeper = self._deeper(part)
        if part.again:
            # What was evaluated is found out by a second walk, and once more for each child.
            here, deeper = 2 * here, deeper + here
        found = self.known[place] = part.own + here + deeper
        if found > MAX_STEPS:
            detail = f"checking one value may take more than {MAX_STEPS:,} steps; simplify it"
            raise TooComplex(place, detail)
        return found

    def _deeper(self, part: Part) -> int:
        below = self.below
        one_of = max(
            sum(below[each] for each in part.others),
            sum(below[each] for each in part.rest),
            max((below[each] for each in part.members), default=0),
            max((below[each] for each in part.first), default=0),
        )
        return one_of + sum(below[each] for each in part.every)


def parts_of(root: dict[str, Any]) -> dict[str, Part]:
    """Returns: all parts that a body can meet, by their JSON Pointers. Raises: TooComplex."""
    parts: dict[str, Part] = {}
    waiting: list[tuple[str, Any]] = [("", root)]
    while waiting:
        place, schema = waiting.pop()
        if place in parts:
            continue
        schema = schema if isinstance(schema, dict) else {}
        _check(place, schema)
        led = {name: list(find(place, schema)) for name, find in _LEADS.items()}
        if "$ref" in schema:
            led["same"].append(_referred(root, place, schema["$ref"]))
        waiting += [each for leads in led.values() for each in leads]
        parts[place] = Part(
            own=1 + _own(schema),
            pattern="pattern" in schema,
            again=any(name in schema for name in _UNEVALUATED),
            **{name: tuple(to for to, _ in leads) for name, leads in led.items()},
        )
    return parts


def _referred(root: dict[str, Any], place: str, reference: Any) -> tuple[str, Any]:  # noqa: ANN401
    local = isinstance(reference, str) and reference.startswith("#")
    pointer = unquote(reference[1:]) if local else ""
    found = pointers.find(root, pointer)
    if not local or (pointer and not pointer.startswith("/")) or found is pointers.MISSING:
        detail = "a reference must be # or a JSON Pointer into this schema, such as #/$defs/a"
        raise TooComplex(f"{place}/$ref", detail)
    return pointer, found


def _check(place: str, schema: dict[str, Any]) -> None:
    for name in _REFUSED:
        if name in schema:
            raise TooComplex(f"{place}/{name}", f"{name} is not taken; refer by JSON Pointer")
    if place and "$id" in schema:
        raise TooComplex(f"{place}/$id", "$id is taken at the root only")
    if schema.get("$schema", DIALECT) not in (DIALECT, f"{DIALECT}#"):
        raise TooComplex(f"{place}/$schema", f"the dialect must be {DIALECT}")


def _own(schema: dict[str, Any]) -> int:
    """Returns: the steps of keywords that compare a value with others, or match it."""
    compared = _COMPARED_STEPS * _size(schema["const"]) if "const" in schema else 0
    options = schema.get("enum")
    # Where all are texts, or small integers, they are looked up and not gone through.
    if isinstance(options, list) and not _looked_up(options):
        compared += _COMPARED_STEPS * sum(map(_size, options))
    patterns = len(schema.get("patternProperties", ())) + ("pattern" in schema)
    return compared + PATTERN_STEPS * patterns + len(schema) // 10


def _looked_up(options: Sequence[Any]) -> bool:
    return all(isinstance(each, str) for each in options) or all(
        isinstance(each, int) and abs(each) < _MOST_INTEGER for each in options
    )


def _size(value: Any) -> int:  # noqa: ANN401 - any JSON value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(_size, inner)) if inner else 1


def _at(*names: str) -> Callable[[str, dict[str, Any]], Iterator[tuple[str, Any]]]:
    """Returns: what finds the schemas under these keywords: one, a list of them, or named ones."""

    def find(place: str, schema: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        for name in names:
            found = schema.get(name)
            if name in _LISTS and isinstance(found, list):
                yield from ((f"{place}/{name}/{at}", each) for at, each in enumerate(found))
            elif name in _MAPS and isinstance(found, dict):
                for key, each in found.items():
                    yield f"{place}/{name}/{escaped(key)}", each
            elif found is not None and name not in _LISTS | _MAPS:
                yield f"{place}/{name}", found

    return find


_LISTS: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_MAPS: Final = frozenset({"properties", "patternProperties", "dependentSchemas"})
_LEADS: Final = {
    "same": _at("allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas"),
    "members": _at("properties"),
    "others": _at("additionalProperties", "unevaluatedProperties"),
    "first": _at("prefixItems"),
    "rest": _at("items", "unevaluatedItems"),
    "every": _at("patternProperties", "propertyNames", "contains"),
}
