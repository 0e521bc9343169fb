"""A bound on the steps of checking a body against a JSON Schema, known before any body is there.

A validator walks through all that a schema asks at a place of the body, and a few lines of `allOf`
and `$ref` can ask 2^64 things of one place. `steps` finds the most that a schema asks along any way
from the body's root to one of its values; so a body of n values takes at most n times as many.

Weights were measured: one step is about 0.3 microseconds. Keywords: JSON Schema 2020-12,
https://json-schema.org/draft/2020-12
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

from schemas import pointers
from schemas.json_values import MAX_DEPTH, escaped

MAX_STEPS: Final = 4000
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

ROOT: Final = 0
"""The number of the whole schema among its parts."""
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


def steps(parts: "Parts") -> int:
    """Returns: the most steps that a body of one value a level takes, of a schema's parts.

    Raises: TooComplex: more than 4,000; or the schema refers to itself without going deeper into
        the body.
    """
    count = len(parts.numbered)
    below = [0] * count
    for levels in range(MAX_DEPTH + 1):
        if levels * count > _MOST_LOOKS:
            detail = f"{count:,} parts are too many for a schema that leads back to itself"
            raise TooComplex("", detail)
        level = _Level(parts, below)
        found = [level.steps(number) for number in range(count)]
        if found == below:
            break
        below = found
    return below[ROOT]


@dataclass(frozen=True, slots=True)
class Part:
    """A schema within the schema: what it takes itself, and the numbers of those it leads to.

    `pattern` says that `own` has `PATTERN_STEPS` for a pattern that the value is to match, `again`
    that the schema asks for what was evaluated.

    `same` apply to the same value, all others to its children: each member meets one of `members`
    or all of `others`, each item one of `first` or all of `rest`, and `every` apply to all of them.
    """

    own: int
    pattern: bool
    again: bool
    same: tuple[int, ...]
    members: Mapping[str, int]
    others: tuple[int, ...]
    first: tuple[int, ...]
    rest: tuple[int, ...]
    every: tuple[int, ...]

    @property
    def deeper(self) -> bool:
        """Whether it asks anything of the values within its own."""
        return bool(self.members or self.others or self.first or self.rest or self.every)


@dataclass(frozen=True, slots=True)
class Parts:
    """All parts of a schema that a body can meet, by number, and where each was found first.

    Places are put together of what is refused only: a name of 30 KB can stand above thousands.
    """

    numbered: list[Part]
    found: list[tuple[int, str]]
    """For each the number of the part that led to it, and the pointer to it from there."""

    def place(self, number: int) -> str:
        """Returns: the JSON Pointer of a part."""
        way: list[str] = []
        while number != ROOT:
            number, step = self.found[number]
            way.append(step)
        return "".join(reversed(way))

    def lengths(self) -> list[int]:
        """Returns: the lengths of the JSON Pointers of all parts."""
        lengths: list[int] = []
        for number, step in self.found:
            lengths.append(len(step) + (lengths[number] if lengths else 0))
        return lengths


@dataclass(slots=True)
class _Level:
    """The steps of all parts on a body of one level more than `below` was found for."""

    parts: Parts
    below: list[int]
    known: dict[int, int] = field(default_factory=dict)
    row: list[int] = field(default_factory=list)

    def steps(self, number: int) -> int:
        """Returns: the steps of one part."""
        if number in self.known:
            return self.known[number]
        if number in self.row:
            detail = "the schema refers to itself without going deeper into the body"
            raise TooComplex(self.parts.place(number), detail)
        if len(self.row) == _MOST_IN_A_ROW:
            detail = f"more than {_MOST_IN_A_ROW} references or combinations lead on to another"
            raise TooComplex(self.parts.place(number), detail)
        self.row.append(number)
        part = self.parts.numbered[number]
        here = sum(map(self.steps, part.same))
        self.row.pop()
        deeper = self._deeper(part)
        if part.again:
            # What was evaluated is found out by a second walk, and once more for each child.
            here, deeper = 2 * here, deeper + here
        found = self.known[number] = part.own + here + deeper
        if found > MAX_STEPS:
            detail = f"checking one value may take more than {MAX_STEPS:,} steps; simplify it"
            raise TooComplex(self.parts.place(number), detail)
        return found

    def _deeper(self, part: Part) -> int:
        below = self.below
        one_of = max(
            sum(below[each] for each in part.others),
            sum(below[each] for each in part.rest),
            max((below[each] for each in part.members.values()), default=0),
            max((below[each] for each in part.first), default=0),
        )
        return one_of + sum(below[each] for each in part.every)


def parts_of(root: dict[str, Any]) -> Parts:
    """Returns: all parts that a body can meet.

    Raises: TooComplex: the schema refers to what is not in it, or has what is not taken.
    """
    walk = _Walk(root)
    parts: dict[int, Part] = {}
    while walk.waiting:
        number, schema = walk.waiting.pop()
        parts[number] = walk.part(number, schema if isinstance(schema, dict) else {})
    return Parts([parts[number] for number in range(len(parts))], walk.found)


@dataclass(slots=True)
class _Walk:
    """Numbers the parts of a schema as they are found; each is taken up once, from `waiting`."""

    root: dict[str, Any]
    found: list[tuple[int, str]] = field(default_factory=lambda: [(ROOT, "")])
    waiting: list[tuple[int, Any]] = field(init=False)
    _known: dict[int, int] = field(init=False)
    """By the identity of what stands there: a reference leads to the very same value."""

    def __post_init__(self) -> None:
        self.waiting = [(ROOT, self.root)]
        self._known = {id(self.root): ROOT}

    def part(self, number: int, schema: dict[str, Any]) -> Part:
        """Returns: one part, once those it leads to have their numbers."""
        try:
            _check(number, schema)
            same = [self._led(number, *each) for each in _SAME(schema)]
            if "$ref" in schema:
                same.append(self._led(ROOT, *_referred(self.root, schema["$ref"])))
        except TooComplex as error:
            place = Parts([], self.found).place(number)
            raise TooComplex(place + error.pointer, error.detail) from None
        members = schema.get("properties")
        led = {
            name: tuple(self._led(number, *each) for each in find(schema))
            for name, find in _LEADS.items()
        }
        return Part(
            own=1 + _own(schema),
            pattern="pattern" in schema,
            again=any(name in schema for name in _UNEVALUATED),
            same=tuple(same),
            members={
                name: self._led(number, f"/properties/{escaped(name)}", each)
                for name, each in members.items()
            }
            if isinstance(members, dict) and members
            else _NO_MEMBERS,
            **led,
        )

    def _led(self, number: int, step: str, schema: Any) -> int:  # noqa: ANN401 - any JSON value
        """Returns: the number of what a part leads to."""
        known = self._known.get(id(schema))
        if known is not None:
            return known
        new = self._known[id(schema)] = len(self.found)
        self.found.append((number, step))
        self.waiting.append((new, schema))
        return new


def _referred(root: dict[str, Any], reference: Any) -> tuple[str, Any]:  # noqa: ANN401
    local = isinstance(reference, str) and reference.startswith("#")
    pointer = unquote(reference[1:]) if local else ""
    found = pointers.find(root, pointer)
    if not local or (pointer and not pointer.startswith("/")) or found is pointers.MISSING:
        detail = "a reference must be # or a JSON Pointer into this schema, such as #/$defs/a"
        raise TooComplex("/$ref", detail)
    return pointer, found


def _check(number: int, schema: dict[str, Any]) -> None:
    for name in _REFUSED:
        if name in schema:
            raise TooComplex(f"/{name}", f"{name} is not taken; refer by JSON Pointer")
    if number != ROOT and "$id" in schema:
        raise TooComplex("/$id", "$id is taken at the root only")
    if schema.get("$schema", DIALECT) not in (DIALECT, f"{DIALECT}#"):
        raise TooComplex("/$schema", f"the dialect must be {DIALECT}")


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


def _at(*names: str) -> Callable[[dict[str, Any]], Iterator[tuple[str, Any]]]:
    """Returns: what finds the schemas under these keywords: one, a list of them, or named ones."""

    def find(schema: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        for name in names:
            found = schema.get(name)
            if name in _LISTS and isinstance(found, list):
                yield from ((f"/{name}/{at}", each) for at, each in enumerate(found))
            elif name in _MAPS and isinstance(found, dict):
                yield from ((f"/{name}/{escaped(key)}", each) for key, each in found.items())
            elif found is not None and name not in _LISTS | _MAPS:
                yield f"/{name}", found

    return find


_LISTS: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_MAPS: Final = frozenset({"patternProperties", "dependentSchemas"})
_NO_MEMBERS: Final[Mapping[str, int]] = {}
_SAME: Final = _at("allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas")
_LEADS: Final = {
    "others": _at("additionalProperties", "unevaluatedProperties"),
    "first": _at("prefixItems"),
    "rest": _at("items", "unevaluatedItems"),
    "every": _at("patternProperties", "propertyNames", "contains"),
}
