"""What it comes to when a collection is created, changed or dropped."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final, Literal

from schemas import pointers
from schemas.problems import FieldError
from schemas.writes import DefineCollection, DropCollection, Indexes, SearchSettings
from streams.collections.rejected import Rejected, missing
from streams.collections.validation import ready
from streams.collections.values import Caller, Collection
from streams.collections.world import World

_DEFAULTS: Final = {each.name: each.default for each in fields(Collection)}


@dataclass(frozen=True, slots=True)
class Defined:
    """What became of a collection; `reshaped` says that all its objects are to follow."""

    status: int
    change: Literal["created", "updated", "deleted", "unchanged"]
    collection: Collection
    reshaped: bool = False
    searched: bool = False


@dataclass(frozen=True, slots=True)
class Definer:
    """Judges what is asked of one collection.

    `new_id` makes the id of a new collection of a tenant. `objection` is what the stored objects
    have against a change of its schema.
    """

    world: World
    new_id: Callable[[str], str]
    max_collections: int
    caller: Caller
    name: str
    objection: Rejected | None = None

    def define(self, operation: DefineCollection) -> Defined:
        """Create or change the collection. Raises: Rejected: nothing is done."""
        self._check_caller()
        found = self.world.collection(self.caller.gpt_id, self.name)
        if found is None and operation.must_exist:
            raise missing("collection")
        if found is None and (operation.if_exists or operation.if_version is not None):
            raise Rejected("version_conflict", "There is no such collection yet.", 412)
        if found is not None and operation.if_absent:
            detail = f"The collection is there already, in version {found.version}."
            raise Rejected("already_exists", detail, 412)
        values = _values(operation, found)
        if found is None:
            return self._created(values)
        _check_version(found, operation.if_version)
        if self.objection is not None:
            raise self.objection
        values["schema_checked"] = _checked(operation, found, values)
        return self._changed(found, values)

    def drop(self, operation: DropCollection) -> Defined:
        """Let the collection be gone at once; its objects follow. Raises: Rejected."""
        self._check_caller()
        found = self.world.collection(self.caller.gpt_id, self.name)
        if found is None:
            raise missing("collection")
        _check_version(found, operation.if_version)
        now = self.world.now
        dropped = replace(found, version=found.version + 1, updated_at=now, deleted_at=now)
        self.world.keep(dropped)
        self.world.count(found.gpt_id, -found.object_count, -found.byte_count)
        self.world.count_collections(found.gpt_id, -1)
        return Defined(204, "deleted", dropped)

    def _created(self, values: dict[str, Any]) -> Defined:
        gpt_id = self.caller.gpt_id
        held = self.world.collection_counts.get(gpt_id, 0)
        if held >= self.max_collections:
            detail = f"The GPT has {held:,} collections; its limit is {self.max_collections:,}."
            raise Rejected("too_many_collections", detail, 403)
        now = self.world.now
        first = self.world.first_sequence(gpt_id)
        blank = Collection(self.new_id(gpt_id), gpt_id, self.name, now, now)
        made = replace(blank, sequence=first, forgotten_sequence=first, **values)
        self.world.keep(made)
        self.world.count_collections(gpt_id, 1)
        return Defined(201, "created", made)

    def _changed(self, found: Collection, values: dict[str, Any]) -> Defined:
        after = replace(found, **values)
        if after == found:
            return Defined(200, "unchanged", found)
        reindexed = after.indexes != found.indexes
        searched = after.search != found.search
        filled = found.object_count > 0
        shape = found.shape + reindexed
        after = replace(
            after,
            shape=shape,
            # Without objects there is nothing that would have to follow.
            shaped=found.shaped if filled else shape,
            version=found.version + 1,
            updated_at=max(self.world.now, found.updated_at),
        )
        self.world.keep(after)
        return Defined(200, "updated", after, filled and (reindexed or searched), searched)

    def _check_caller(self) -> None:
        if self.caller.subject is not None:
            detail = "A key that is bound to an end user cannot change the GPT's collections."
            raise Rejected("forbidden", detail, 403)


def _values(operation: DefineCollection, found: Collection | None) -> dict[str, Any]:
    """Returns: the columns that are given; null stands for the default. Raises: Rejected."""
    values: dict[str, Any] = {}
    for name in operation.given:
        given = getattr(operation, name)
        match name:
            case "json_schema":
                values[name] = None if given is None else _schema(given, found)
            case "indexes":
                values[name] = Indexes() if given is None else _indexes(given)
            case "search":
                values[name] = None if given is None else _search(given)
            case _:
                values[name] = _DEFAULTS[name] if given is None else given
    return values


def _checked(operation: DefineCollection, found: Collection, values: dict[str, Any]) -> bool:
    """Returns: whether nothing that is stored can be against the schema, once this is done."""
    schema = values.get("json_schema", found.json_schema)
    if schema is None or not found.object_count or operation.check_stored:
        return True
    return found.schema_checked and schema == found.json_schema


def _indexes(indexes: Indexes) -> Indexes:
    if indexes.text is not None:
        _check_apart("indexes/text/fields", indexes.text.fields)
    return indexes


def _search(search: SearchSettings) -> dict[str, Any]:
    _check_apart("search/fields", search.fields)
    return search.model_dump(mode="json")


def _check_apart(at: str, fields: Sequence[str]) -> None:
    """Raises: Rejected (422): the same text would be read twice."""
    errors = [
        FieldError(
            pointer=f"/{at}/{place}",
            detail=f'it repeats or lies within "{other}", which is named too; remove one of them',
        )
        for place, other in pointers.covered(fields)
    ]
    if errors:
        detail = f"{at}/{errors[0].pointer.rpartition('/')[2]}: {errors[0].detail}"
        raise Rejected("invalid_definition", detail, 422, errors)


def _schema(schema: dict[str, Any], found: Collection | None) -> str:
    ready(schema)
    text = _sorted(schema)
    # Postgres keeps names in an order of its own.
    if found and found.json_schema and _sorted(json.loads(found.json_schema)) == text:
        return found.json_schema
    return text


def _sorted(schema: Any) -> str:  # noqa: ANN401 - any JSON value
    return json.dumps(schema, ensure_ascii=False, sort_keys=True)


def _check_version(found: Collection, asked: int | None) -> None:
    if asked is not None and asked != found.version:
        detail = f"The collection is in version {found.version}, not {asked}."
        raise Rejected("version_conflict", detail, 412)
