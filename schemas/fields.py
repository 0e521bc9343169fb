"""What extraction found: each field's value, place, evidence and confidence."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

Unavailable = Literal["unavailable"]
"""Evidence that could not be gathered; it is not the same as evidence against."""


class Evidence(BaseModel):
    """What speaks for a value, part by part."""

    model_config = ConfigDict(frozen=True)

    model_score: float | Unavailable = Field(
        description="exp of the mean log probability of the value's tokens, 0..1."
    )
    grounding: Literal["exact", "loose", "absent"] = Field(
        description="Found in the text as it is; ignoring case, spaces and punctuation; or not."
    )
    occurrences: int = Field(description="How often it stands in the text.")
    ocr_confidence: float | Unavailable = Field(
        description="Least OCR confidence of the words it stands in, 0..1; text layers have none."
    )
    format_valid: bool | Unavailable = Field(
        description="Whether it is a well-formed value of its kind (date, amount, IBAN…)."
    )
    checks_passed: int = Field(description="Cross-checks with other fields that hold.")
    checks_failed: int = Field(description="Cross-checks with other fields that do not hold.")


class Place(BaseModel):
    """Where a value stands."""

    model_config = ConfigDict(frozen=True)

    page: int = Field(description="Page, counted from 1.")
    start: int = Field(description="First character, as an offset into the page's text.")
    end: int = Field(description="Offset behind the last character.")
    box: tuple[float, float, float, float] | None = Field(
        default=None, description="Left, top, right, bottom as shares of the page; OCR pages only."
    )


class FieldAnswer(BaseModel):
    """One value as the model gave it and what is known of it. No value: `value` is null."""

    model_config = ConfigDict(frozen=True)

    value: str | None = Field(description="The value as printed.")
    normalised: JsonValue = Field(
        default=None,
        description="ISO date, {amount, currency}, number or tidied text; null if not understood.",
    )
    confidence: float = Field(description="Probability that the value is right, 0..1.")
    place: Place | None = Field(default=None, description="Where it stands, if it was found.")
    evidence: Evidence


Answer = FieldAnswer | list[FieldAnswer] | list[dict[str, FieldAnswer]]
"""A plain field, a list of texts, or a table's rows with each cell on its own."""
