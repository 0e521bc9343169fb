"""HTTP bodies of reviews: documents whose fields the machine is not sure of, and decisions."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from schemas.api.documents import TypeName
from schemas.api.model import Input, Metadata, Output, Text
from schemas.fields import Place
from schemas.json_kinds import NUMBER


class DoubtfulField(Output):
    """A value that the machine found, or did not find, and how sure it is."""

    name: str = Field(
        description="The field; in lists and tables with row and column, `items.0.price`."
    )
    value: str | None = Field(description="As printed; null where it found none.")
    normalised: Any = Field(description="ISO date, amount, number or tidied text.")
    confidence: float = Field(description="Probability that it is right, 0..1.")
    place: Place | None = Field(description="Where it stands, to look at.")
    doubtful: bool = Field(description="Whether it is below the threshold of the document's type.")


class Review(Output):
    """A document that needs a person."""

    review_id: str = Field(description="The document's id.")
    document_id: str
    run_id: str = Field(description="The run that is to be decided on.")
    version: int = Field(description="For if_version.")
    batch_id: str | None = Field(description="The batch that it is of.")
    title: str | None
    filename: str | None
    type: str | None
    type_confidence: float | None
    confidence: float = Field(description="Confidence of the weakest required field, 0..1.")
    page_count: int | None
    created_at: datetime
    fields: list[DoubtfulField] = Field(description="Least sure first, at most 50.")
    links: dict[str, str] = Field(description="Paths of the document, its text and its bytes.")


class ReviewPage(Output):
    """Documents that need a person, least sure first."""

    items: list[Review]
    next_cursor: str | None = Field(description="Give it as cursor for the next page.")
    has_more: bool = Field(description="Whether there is a next page.")


class DecisionInput(Input):
    """What a person decides. Fields that are not named were right."""

    decision: Literal["accept", "correct", "reject"] = Field(
        description="`accept`: all is right. `correct`: all but what `fields` or `type` say. "
        "`reject`: nothing that was found is of use; the document stays, without fields."
    )
    type: TypeName | None = Field(default=None, description="Its true type; with `correct`.")
    fields: Metadata | None = Field(
        default=None, description="True values by name, null for none; with `correct`."
    )
    note: Annotated[Text, StringConstraints(max_length=2000)] | None = Field(
        default=None, description="Kept with the decision."
    )
    run_id: str | None = Field(
        default=None, description="Refuse if another run took its place; the current one if absent."
    )
    if_version: Annotated[int, Field(ge=1), NUMBER] | None = Field(
        default=None, description="Refuse unless the document has this version (or If-Match)."
    )

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        changes = bool(self.fields) or self.type is not None
        if changes != (self.decision == "correct"):
            raise ValueError("give fields or type with the decision correct, and with no other")
        return self
