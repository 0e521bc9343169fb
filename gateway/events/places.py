"""Places in a tenant's events: cursors, which no other tenant can use, and plain numbers."""

import re
from dataclasses import dataclass
from typing import Final

from gateway.cursors import Cursors
from gateway.errors import Malformed
from gateway.events.errors import EventsExpired
from gateway.principal import Principal

_NUMBER: Final = re.compile(r"[0-9]{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Bounds:
    """A tenant's events: the number of the latest, and of the last that was removed for its age."""

    last: int
    forgotten: int


@dataclass(frozen=True, slots=True)
class Places:
    """The places of one caller; `end_user` is empty for a caller who sees those of all."""

    cursors: Cursors
    gpt_id: str
    end_user: str

    def seal(self, sequence: int) -> str:
        """Returns: the cursor behind the event of this number."""
        return self.cursors.seal([sequence], "events", self.gpt_id, self.end_user)

    def number(self, text: str) -> int:
        """Returns: the number that a place has. Raises: Malformed: it is none of this caller's."""
        return int(text) if _NUMBER.fullmatch(text) else self._opened(text)

    def find(self, text: str, bounds: Bounds) -> int:
        """Returns: the number behind which a client goes on.

        A plain 0 is the beginning of what is kept, whatever went before it.

        Raises:
            Malformed: no place of this caller's, or one that no event has yet.
            EventsExpired: events that followed it are no longer kept.
        """
        sequence = self.number(text)
        if sequence == 0 and _NUMBER.fullmatch(text):
            return bounds.forgotten
        if sequence > bounds.last:
            raise Malformed(
                f"there is no event {sequence} yet, the latest is {bounds.last}; "
                "go on from a cursor that you were given"
            )
        if sequence < bounds.forgotten:
            raise EventsExpired(first=bounds.forgotten + 1)
        return sequence

    def _opened(self, text: str) -> int:
        [sequence] = self.cursors.open(text, "events", self.gpt_id, self.end_user)
        return int(sequence)


def of(cursors: Cursors, caller: Principal) -> Places:
    """Returns: the places of a caller."""
    return Places(cursors, caller.gpt_id, caller.subject or "")
