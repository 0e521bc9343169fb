"""Which events a client wants, of those that it may see."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from gateway.errors import InvalidInput
from schemas.api.events import MAX_TYPES
from schemas.events import EventType

_ANY: Final = "*"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a stream is made of; a part that is none, or empty, leaves everything in.

    `end_user` is the caller's own: it sees nothing of others'. `types` are whole types, `prefixes`
    beginnings of types; `object_id` is what an event happened to.
    """

    end_user: str | None = None
    types: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()
    object_id: str | None = None
    batch_id: str | None = None

    @property
    def is_all(self) -> bool:
        """Returns: whether nothing is left out."""
        return self == _ALL

    def takes(
        self, type_: str, end_user: str | None, object_id: str | None, batch_id: str | None
    ) -> bool:
        """Returns: whether an event is among them."""
        return (
            (self.end_user is None or end_user == self.end_user)
            and (self.object_id is None or object_id == self.object_id)
            and (self.batch_id is None or batch_id == self.batch_id)
            and (
                not (self.types or self.prefixes)
                or type_ in self.types
                or type_.startswith(self.prefixes)
            )
        )


_ALL: Final = Wanted()


def of(
    end_user: str | None,
    types: Iterable[str] = (),
    object_id: str | None = None,
    batch_id: str | None = None,
) -> Wanted:
    """Returns: what is wanted by types such as `batch.completed`, `document.*` and `*`.

    Raises:
        InvalidInput: no event can be of one of these types, or they are too many.
    """
    named = tuple(types)
    if len(named) > MAX_TYPES:
        raise InvalidInput.at("/type", f"names more than {MAX_TYPES} types; use document.* or *")
    if _ANY in named:
        named = ()
    for one in named:
        if not any(_means(one, known) for known in EventType):
            families = sorted({known.partition(".")[0] for known in EventType})
            detail = f"no event is of type {one[:64]!r}; there are {', '.join(families)} and more"
            raise InvalidInput.at("/type", f"{detail}: see docs/reference/events.md")
    return Wanted(
        end_user=end_user,
        types=frozenset(one for one in named if not one.endswith(_ANY)),
        prefixes=tuple(one.removesuffix(_ANY) for one in named if one.endswith(_ANY)),
        object_id=object_id,
        batch_id=batch_id,
    )


def _means(named: str, known: str) -> bool:
    return known.startswith(named[:-1]) if named.endswith(_ANY) else known == named
