"""JSON Schema (2020-12): whether a body fits, with all that is wrong at once.

Bounded: patterns are matched in linear time, references stay within the schema, and a body that
would take more than the effort that its request may take is refused, not checked.
"""

import json
import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import jsonschema_rs
from jsonschema_rs import Draft202012Validator, RegexOptions

from schemas import json_values
from schemas.json_values import NotStorable, escaped
from schemas.problems import FieldError
from streams.collections import complexity, counting
from streams.collections.bodies import Body
from streams.collections.complexity import Part, TooComplex
from streams.collections.effort import Effort
from streams.collections.rejected import Rejected

MAX_SCHEMA_BYTES: Final = 64 * 1024
MAX_SCHEMA_DEPTH: Final = 32
MAX_ERRORS: Final = 50
MOST_LISTED: Final = 100_000
"""Steps up to which all errors are listed: in the worst case each step makes one, of 10 us."""
_PLACE_STEPS: Final = 20
"""For each 1,000 characters of the places that an error has; below that they cost nothing much."""
_KEPT: Final = 256
_KEPT_PLACES: Final = 256 * 1024 * 1024
"""Characters: a validator keeps the place of each part, and one schema can have 130 MB of them."""
_REGEX_BYTES: Final = 256 * 1024
_SHOWN: Final = 300
_COMPARED_STEPS: Final = 30
_LARGE_INTEGER: Final = re.compile(r"\d{19,}")


@dataclass(frozen=True, slots=True)
class Schema:
    """A schema ready for use; `steps` is what a body of one value a level takes at most.

    `unique` says that it asks somewhere for unique items. `parts` are those of `complexity`,
    `longest` is the length of the longest pointer to one, `places` that of all together.
    """

    validator: Draft202012Validator
    parts: Sequence[Part]
    steps: int
    unique: bool
    longest: int
    places: int

    def check(self, body: Body, effort: Effort) -> None:
        """Raises: Rejected: the body does not fit, or it would take more than the effort left."""
        taken = body.values * self.steps
        if not effort.has_plenty_for(taken):
            taken = self._counted(taken, body, effort)
        if self.unique:
            # Integers beyond 64 bits are compared each with each, in about 10 us.
            taken += _COMPARED_STEPS * len(_LARGE_INTEGER.findall(body.text)) ** 2
        effort.spend(taken)
        if self.validator.is_valid(body.value):
            return
        # The validator makes them all at once, each with its places in the body and the schema.
        places = _PLACE_STEPS * taken * (_longest(body.value, self.longest) // 1000)
        if taken > MOST_LISTED or not effort.has_plenty_for(places):
            errors = [FieldError(pointer="/body", detail="It is too large for a list of errors.")]
        else:
            effort.spend(places)
            found = self.validator.iter_errors(body.value)
            errors = [_error(each) for each in islice(found, MAX_ERRORS)]
        first = errors[0]
        detail = f"The body does not fit the collection's schema. {first.pointer}: {first.detail}"
        raise Rejected("schema_mismatch", detail, 422, errors)

    def _counted(self, bound: int, body: Body, effort: Effort) -> int:
        """Returns: the steps of a body, at most `bound`. Raises: Rejected: more than are left."""
        counted = counting.steps(self.parts, body.value, min(bound, effort.left))
        if min(counted, bound) > effort.left:
            # Counting took time too; each operation of a batch could begin it anew.
            effort.spend_all(bound)
        return min(counted, bound)


class Validators:
    """Schemas by their text, the most recently used ones."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Schema] = OrderedDict()
        self._places = 0

    def check(self, schema: str | None, body: Body, effort: Effort) -> None:
        """Raises: Rejected: the body does not fit its collection's schema; it says all reasons."""
        if schema is None:
            return
        known = self._known.get(schema)
        if known is None:
            known = self._known[schema] = ready(json.loads(schema))
            self._places += known.places
        self._known.move_to_end(schema)
        while len(self._known) > _KEPT or (self._places > _KEPT_PLACES and len(self._known) > 1):
            _, forgotten = self._known.popitem(last=False)
            self._places -= forgotten.places
        known.check(body, effort)


def ready(schema: dict[str, Any]) -> Schema:
    """Returns: the schema ready for use. Raises: Rejected (422): it is none, or is not taken."""
    try:
        json_values.check(schema, depth=MAX_SCHEMA_DEPTH)
    except NotStorable as error:
        raise _invalid(error.pointer, error.detail) from error
    text = json.dumps(schema, ensure_ascii=False, separators=(",", ":"))
    if (size := len(text.encode())) > MAX_SCHEMA_BYTES:
        raise _invalid("", f"it has {size:,} bytes; at most {MAX_SCHEMA_BYTES:,} are taken")
    try:
        validator = Draft202012Validator(
            schema,
            offline=True,
            mask="the value",
            validate_formats=True,
            pattern_options=RegexOptions(size_limit=_REGEX_BYTES),
        )
        parts = complexity.parts_of(schema)
        steps = complexity.steps(parts)
        unique = '"uniqueItems"' in text
        lengths = parts.lengths()
        return Schema(validator, parts.numbered, steps, unique, max(lengths), sum(lengths))
    except TooComplex as error:
        raise _invalid(error.pointer, error.detail) from error
    except jsonschema_rs.ValidationError as error:
        raise _invalid(_pointer(error.instance_path), _why(error)) from error
    except (jsonschema_rs.ReferencingError, ValueError) as error:
        raise _invalid("", str(error)) from error


def _longest(value: Any, above: int) -> int:  # noqa: ANN401 - any JSON value
    """Returns: the most characters of an error's places, if a level adds `above` and its name."""
    if isinstance(value, dict):
        below = (len(name) + _longest(inner, above) for name, inner in value.items())
    elif isinstance(value, list):
        below = (_longest(inner, above) for inner in value)
    else:
        return above
    return above + max(below, default=0)


def _why(error: jsonschema_rs.ValidationError) -> str:
    if error.kind.name == "format" and error.instance_path[-1:] == ["pattern"]:
        return (
            "the pattern is not taken; look-around and back-references are not, nor what would "
            "take more than 256 KiB when compiled"
        )
    return error.message


def _invalid(pointer: str, why: str) -> Rejected:
    said = why.partition("\n")[0][:_SHOWN]
    errors = [FieldError(pointer=f"/schema{pointer}", detail=said)]
    return Rejected("invalid_schema", f"schema{pointer}: {said}", 422, errors)


def _error(error: jsonschema_rs.ValidationError) -> FieldError:
    return FieldError(
        pointer=f"/body{_pointer(error.instance_path)}", detail=error.message[:_SHOWN]
    )


def _pointer(path: list[str | int]) -> str:
    return "".join(f"/{escaped(str(part))}" for part in path)[:_SHOWN]
