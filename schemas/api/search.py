"""HTTP bodies of search."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from schemas.api.model import Input, Output, Text
from schemas.indexes import Kind
from schemas.json_kinds import NUMBER
from schemas.states import Status


class Mode(StrEnum):
    """How a search finds: by words, by meaning, or by both."""

    HYBRID = "hybrid"
    KEYWORD = "keyword"
    SEMANTIC = "semantic"


class Group(StrEnum):
    """What a hit is: a document or object by its best part, or every part on its own."""

    DOCUMENTS = "documents"
    CHUNKS = "chunks"


class Facet(StrEnum):
    """What hits can be counted by."""

    TYPE = "type"
    CONTENT_TYPE = "content_type"
    NEEDS_REVIEW = "needs_review"
    KIND = "kind"
    COLLECTION = "collection"


PLACE_PATTERN = r"^(documents|collections(/[a-z][a-z0-9_-]{0,62})?)$"
MAX_PLACES = 20

PlaceName = Annotated[str, StringConstraints(pattern=PLACE_PATTERN)]

Query = Annotated[Text, StringConstraints(min_length=1, max_length=1000, strip_whitespace=True)]
DEFAULT_LIMIT = 10
MAX_LIMIT = 50


class SearchInput(Input):
    """A search."""

    q: Query = Field(description="What to look for: words, or a question.")
    mode: Mode = Field(default=Mode.HYBRID, description="By words, by meaning, or both.")
    within: list[PlaceName] = Field(
        default=["documents"],
        alias="in",
        min_length=1,
        max_length=MAX_PLACES,
        description="Where to look: documents, collections/<name>, or collections for all of them.",
    )
    where: dict[str, Any] | None = Field(
        default=None,
        description='Conditions, as in {"type": "invoice"}; all of them hold. Names of objects are '
        'paths into the body: {"mood": {"gte": 7}}.',
    )
    group: Group = Field(
        default=Group.DOCUMENTS, description="One hit a document or object, or each chunk."
    )
    facets: list[Facet] = Field(
        default=[], max_length=len(Facet), description="What to count hits by."
    )
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT), NUMBER] = Field(
        default=DEFAULT_LIMIT, description="Hits of a page."
    )
    cursor: Annotated[str, StringConstraints(max_length=1024)] | None = Field(
        default=None, description="next_cursor of the page before; the rest unchanged."
    )


class Match(Output):
    """A word that matched."""

    start: int = Field(description="First character, as an offset into the page's text.")
    end: int = Field(description="Offset behind its last character.")


class Highlight(Output):
    """A passage that shows why a hit was found."""

    page: int = Field(description="Page, counted from 1; an object's text is one page.")
    start: int = Field(description="First character, as an offset into the page's text.")
    end: int = Field(description="Offset behind its last character.")
    text: str = Field(description="The passage.")
    matches: list[Match] = Field(description="Words that matched; none where only meaning did.")


class SearchHit(Output):
    """A document, by the part of it that fits best, or a part of one."""

    kind: Literal[Kind.DOCUMENT]
    document_id: str
    score: float = Field(description="Only comparable within one answer.")
    title: str | None
    filename: str | None
    type: str | None
    content_type: str | None
    status: Status
    needs_review: bool
    created_at: datetime
    ordinal: int = Field(description="Which chunk it is.")
    page: int = Field(description="Page of the chunk, counted from 1.")
    start: int = Field(description="Where the chunk begins in the page's text.")
    end: int = Field(description="Offset behind the chunk's last character.")
    highlights: list[Highlight] = Field(description="At least one passage.")


class ObjectHit(Output):
    """An object of a collection, by the part of its text that fits best, or a part of one."""

    kind: Literal[Kind.OBJECT]
    id: str
    collection: str
    key: str | None
    title: str | None = Field(description="What stands where the collection's search.title points.")
    score: float = Field(description="Only comparable within one answer.")
    version: int = Field(description="The object's version, which the passages are of.")
    created_at: datetime
    updated_at: datetime
    ordinal: int = Field(description="Which chunk of its text it is.")
    highlights: list[Highlight] = Field(description="At least one passage.")
    url: str = Field(description="Where the whole object is.")


class FacetCount(Output):
    """How many hits have one value."""

    value: str | bool
    count: int


class SearchPage(Output):
    """A page of hits, best first."""

    mode: Mode = Field(description="How it was searched.")
    notices: list[str] = Field(description="What a reader should know, such as a poorer mode.")
    items: list[Annotated[SearchHit | ObjectHit, Field(discriminator="kind")]]
    facets: dict[str, list[FacetCount]] = Field(description="Counts by name, most first.")
    next_cursor: str | None = Field(description="Give it as cursor for the next page.")
    has_more: bool
    took_ms: int = Field(description="What the search server took, milliseconds.")
