"""What paths name: a tenant, a collection, an object by its id or its key."""

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Path

from schemas.envelope import GPT_ID_PATTERN
from schemas.writes import MAX_KEY_CHARS, NAME_PATTERN

COLLECTIONS: Final = "/v1/gpts/{gpt_id}/collections"
COLLECTION: Final = COLLECTIONS + "/{name}"

GptPath = Annotated[str, Path(pattern=GPT_ID_PATTERN, description="Your tenant.")]
NamePath = Annotated[str, Path(pattern=NAME_PATTERN, description="Name of the collection.")]
IdPath = Annotated[str, Path(min_length=1, max_length=128, description="Id of the object.")]
KeyPath = Annotated[
    str,
    Path(
        min_length=1,
        max_length=MAX_KEY_CHARS,
        pattern=r"^[^\x00-\x1f/]+$",
        description="The object's key, percent-encoded.",
    ),
]


@dataclass(frozen=True, slots=True)
class Place:
    """A collection of a tenant, by name; the route has checked that the tenant is the caller's."""

    gpt_id: str
    name: str


async def place_of(gpt_id: GptPath, name: NamePath) -> Place:
    """Returns: the collection that a path names."""
    return Place(gpt_id, name)


PlaceDep = Annotated[Place, Depends(place_of)]
