"""The model of a document type: its names, how it is recognised, its fields and their checks.

A document type is data: the built-in ones are JSON files beside this module, a tenant's own come
over HTTP, and both pass through `DocumentType`. No code elsewhere may know a type by its name.
"""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from schemas.document_types.checks import Check, unknown_paths

MAX_FIELDS = 64
"""The most fields of one type, columns counted; an answer of more is seldom complete."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
# Control characters are refused because neither a prompt nor a Postgres text may hold a NUL, and
# a line break in a title or label would forge a line of its own in a prompt.
_LINE = r"^[^\s\x00-\x1f\x7f]([^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f])?$"
_TEXT = r"^[^\x00-\x08\x0b-\x1f\x7f]+$"

Label = Annotated[str, StringConstraints(max_length=64, pattern=_LINE)]
Title = Annotated[str, StringConstraints(max_length=100, pattern=_LINE)]
Description = Annotated[str, StringConstraints(max_length=500, pattern=_TEXT)]
Example = Annotated[str, StringConstraints(max_length=2000, pattern=_TEXT)]


class Kind(StrEnum):
    """What sort of value a field holds; it tells how to find, normalise and check the value."""

    TEXT = "text"
    IDENTIFIER = "identifier"
    DATE = "date"
    AMOUNT = "amount"
    QUANTITY = "quantity"
    PERCENTAGE = "percentage"
    PARTY = "party"
    PERSON = "person"
    ADDRESS = "address"
    EMAIL = "email"
    PHONE = "phone"
    IBAN = "iban"
    URL = "url"
    PERIOD = "period"
    LIST_OF_TEXT = "list-of-text"


class _Strict(BaseModel):
    """A frozen model that refuses unknown keys, so that a misspelt one is not ignored."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, populate_by_name=True, serialize_by_alias=True
    )


class _Labelled(_Strict):
    """What fields and columns share: a description, and the words that label them in print."""

    description: Description
    kind: Kind | None = Field(default=None, alias="x-kind", strict=False)
    labels: tuple[Label, ...] = Field(default=(), alias="x-labels", max_length=48, strict=False)

    @model_validator(mode="after")
    def _labels_are_lower_case(self) -> Self:
        for label in self.labels:
            if label != label.lower():
                raise ValueError(f"label {label!r} must be lower case")
        return self


class ColumnSchema(_Labelled):
    """One cell of a row of an array field: always a string, copied as printed."""

    type: Literal["string"]

    @model_validator(mode="after")
    def _has_a_kind_of_one_value(self) -> Self:
        if self.kind is None or self.kind is Kind.LIST_OF_TEXT:
            raise ValueError("a column needs an x-kind, and not list-of-text")
        return self


class ItemsSchema(_Strict):
    """What an array field holds: plain strings, or rows of columns; nothing nests deeper."""

    type: Literal["string", "object"]
    properties: dict[Name, ColumnSchema] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _only_rows_have_columns(self) -> Self:
        if (self.type == "object") != bool(self.properties):
            raise ValueError("items of type object need properties, items of type string have none")
        return self


class FieldSchema(_Labelled):
    """One field: a string as printed, a list of strings, or rows of columns."""

    type: Literal["string", "array"]
    items: ItemsSchema | None = None

    @model_validator(mode="after")
    def _shape_and_kind_agree(self) -> Self:
        if (self.type == "array") != (self.items is not None):
            raise ValueError("a field of type array needs items, a field of type string has none")
        if self.items is None:
            if self.kind is None or self.kind is Kind.LIST_OF_TEXT:
                raise ValueError("a field of type string needs an x-kind, and not list-of-text")
        elif self.items.type == "string":
            if self.kind is not Kind.LIST_OF_TEXT:
                raise ValueError("a list of strings needs the x-kind list-of-text")
        elif self.kind is not None:
            raise ValueError("rows have no x-kind of their own, their columns do")
        return self

    @property
    def columns(self) -> dict[str, ColumnSchema]:
        """The columns of the field's rows by name; empty where the field has no rows."""
        return {} if self.items is None else dict(self.items.properties)


class FieldsSchema(_Strict):
    """The fields of a type, as a JSON Schema object."""

    type: Literal["object"] = "object"
    properties: dict[Name, FieldSchema] = Field(default_factory=dict)
    required: tuple[Name, ...] = Field(default=(), strict=False)

    @model_validator(mode="after")
    def _required_exist_and_size_is_bounded(self) -> Self:
        for name in self.required:
            if name not in self.properties:
                raise ValueError(f"required field {name!r} is not among the properties")
        if len(set(self.required)) != len(self.required):
            raise ValueError("a required field is named twice")
        size = sum(1 + len(field.columns) for field in self.properties.values())
        if size > MAX_FIELDS:
            raise ValueError(f"{size} fields and columns, at most {MAX_FIELDS} are allowed")
        return self


class DocumentType(_Strict):
    """A kind of document: its names, the words it is recognised by, its fields and their checks.

    `review_threshold` is the confidence, 0..1, below which a result asks for a person's review.
    `version` grows with each change of a type, so that a stored result tells what it was read by.
    """

    name: Name
    title: Title
    version: int = Field(default=1, ge=1, le=1_000_000)
    description: Annotated[str, StringConstraints(max_length=1000, pattern=_TEXT)]
    examples: tuple[Example, ...] = Field(default=(), max_length=16, strict=False)
    review_threshold: float = Field(default=0.8, ge=0, le=1)
    fields: FieldsSchema = Field(default_factory=FieldsSchema)
    checks: tuple[Check, ...] = Field(default=(), max_length=32, strict=False)

    @model_validator(mode="after")
    def _checks_refer_to_fields_of_their_kind(self) -> Self:
        kinds = self.kinds()
        for check in self.checks:
            for path, wanted in unknown_paths(check, kinds):
                raise ValueError(f"check {check.kind}: {path!r} is not a field of kind {wanted}")
        return self

    def kinds(self) -> dict[str, str]:
        """The kind of every value by its path: `total`, and `lines.amount` for a column."""
        found: dict[str, str] = {}
        for name, field in self.fields.properties.items():
            if field.kind is not None:
                found[name] = field.kind.value
            for column, cell in field.columns.items():
                if cell.kind is not None:
                    found[f"{name}.{column}"] = cell.kind.value
        return found
