"""HTTP bodies of dead letters: what could not be worked off, and what is done about it."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from schemas.api.model import Input, Moment, Output, Parameters, Text
from schemas.messages import DeadLetterId
from schemas.states import LetterState

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]
MAX_IDS = 500


class LetterConditions(Input):
    """Which dead letters; all conditions hold."""

    stage: Name | None = Field(default=None, description="Of this stage, such as extract.")
    error: Name | None = Field(default=None, description="With this error, as letters name it.")
    since: Moment | None = Field(
        default=None, description="Dead at or after this time (RFC 3339, with its offset)."
    )
    until: Moment | None = Field(
        default=None, description="Dead before this time (RFC 3339, with its offset)."
    )

    batch_id: Annotated[Text, StringConstraints(max_length=128)] | None = Field(
        default=None, description="Of documents of this batch."
    )

    def conditions(self) -> dict[str, Any]:
        """Returns: the conditions that were given, by name."""
        given = {name: getattr(self, name) for name in LetterConditions.model_fields}
        return {name: value for name, value in given.items() if value is not None}


class LetterFilter(Parameters, LetterConditions):
    """Which dead letters a list shows."""

    state: LetterState = Field(
        default=LetterState.DEAD, description="dead: nobody has decided on it yet."
    )
    document_id: Annotated[Text, StringConstraints(max_length=128)] | None = Field(
        default=None, description="Of this document."
    )
    limit: int = Field(default=20, ge=1, le=100, description="Most items of a page.")
    cursor: Annotated[str, StringConstraints(max_length=1024)] | None = Field(
        default=None, description="next_cursor of the page before; the rest unchanged."
    )


class LetterSelection(LetterConditions):
    """Dead letters by their ids, or all open ones that fit every condition."""

    ids: list[DeadLetterId] = Field(
        default=[], max_length=MAX_IDS, description="These; then no conditions."
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.ids and self.conditions():
            raise ValueError("give either ids or conditions")
        return self


class DeadLetter(Output):
    """A record that a stage could not work off, in a list."""

    dead_letter_id: str = Field(description="Id of the dead letter.")
    state: LetterState = Field(description="dead is open; redriven and discarded are decided.")
    stage: str = Field(description="The stage that gave it up.")
    error: str = Field(description="Code of what was wrong.")
    reason: str = Field(description="What was wrong, as a sentence.")
    attempts: int = Field(description="How often it was tried.")
    document_id: str | None = Field(description="The document it concerns, if any.")
    batch_id: str | None = Field(description="The batch of that document, if any.")
    request_id: str | None = Field(description="The request it belongs to.")
    created_at: datetime = Field(description="When it was given up.")
    decided_by: str | None = Field(description="Who redrove or discarded it.")
    decided_at: datetime | None = Field(description="When.")


class DeadLetterPage(Output):
    """A page of dead letters, newest first."""

    items: list[DeadLetter]
    next_cursor: str | None = Field(description="Give it as cursor for the next page.")
    has_more: bool = Field(description="Whether there is a next page.")


class DeadLetterDetail(DeadLetter):
    """A dead letter with the record as it came."""

    problem_type: str = Field(description="Link to the page that says what to do about the error.")
    run_id: str | None = Field(description="The run its step belongs to; null if undecodable.")
    part: int | None = Field(description="Part of long work that it was, from 0.")
    topic: str = Field(description="Topic the record was read from.")
    partition: int
    offset: int
    key: str | None = Field(description="The record's key.")
    headers: dict[str, str] = Field(description="The record's headers.")
    value: Any = Field(description="The record's value; null where it is gone with its document.")
    value_format: Literal["json", "text", "base64"] | None = Field(description="What value holds.")
    value_bytes: int | None = Field(description="Size of the whole value.")
    truncated: bool = Field(description="Whether value is only the beginning, 48 KiB.")
