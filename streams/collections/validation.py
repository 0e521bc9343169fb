"""JSON Schema (2020-12): whether a body fits, with all that is wrong at once."""

import json
from collections import OrderedDict
from typing import Any, Final

import jsonschema_rs
from jsonschema_rs import Draft202012Validator, RegexOptions

from schemas.json_values import escaped
from schemas.problems import FieldError
from streams.collections.bodies import Body
from streams.collections.rejected import Rejected

MAX_ERRORS: Final = 50
_KEPT: Final = 256
_REGEX: Final = RegexOptions(size_limit=256 * 1024)
_SHOWN: Final = 300


class Validators:
    """Compiled schemas by their text, the most recently used ones."""

    def __init__(self) -> None:
        self._compiled: OrderedDict[str, Draft202012Validator] = OrderedDict()

    def check(self, schema: str | None, body: Body) -> None:
        """Raises: Rejected: the body does not fit its collection's schema; it says all reasons."""
        if schema is None:
            return
        validator = self._of(schema)
        if validator.is_valid(body.value):
            return
        errors = [
            FieldError(pointer=_pointer(error.instance_path), detail=error.message[:_SHOWN])
            for error, _ in zip(validator.iter_errors(body.value), range(MAX_ERRORS), strict=False)
        ]
        detail = f"The body does not fit the collection's schema: {len(errors)} errors."
        raise Rejected("schema_mismatch", detail, 422, errors)

    def _of(self, schema: str) -> Draft202012Validator:
        known = self._compiled.get(schema)
        if known is None:
            known = self._compiled[schema] = compiled(json.loads(schema))
            if len(self._compiled) > _KEPT:
                self._compiled.popitem(last=False)
        else:
            self._compiled.move_to_end(schema)
        return known


def compiled(schema: dict[str, Any]) -> Draft202012Validator:
    """Returns: the schema ready for use. Raises: Rejected (422): it is none, or is refused."""
    try:
        return Draft202012Validator(
            schema, offline=True, pattern_options=_REGEX, mask="value", validate_formats=True
        )
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        said = str(error).partition("\n")[0][:_SHOWN]
        raise Rejected("invalid_schema", f"schema: {said}", 422) from error


def _pointer(path: list[str | int]) -> str:
    return "/body" + "".join(f"/{escaped(str(part))}" for part in path)[:512]
