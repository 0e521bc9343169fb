"""How much one request may make the stage do, in steps of well under a microsecond.

All that is judged together is judged within one transaction, which holds locks and must not stand
still for longer than the server allows. Without a bound, 500 merges into one object of 256 KiB
would take a minute.
"""

from dataclasses import dataclass
from typing import Final, NoReturn

from streams.collections.rejected import Rejected

MOST_STEPS: Final = 1_000_000
"""About half a second, where all of them are needed."""


_TIMES_ITS_SHARE: Final = 5
"""What an operation may take of what is left without a close look: seldom do all take so much."""


@dataclass(slots=True)
class Effort:
    """What is left to one request, which asks for so many operations."""

    left: int = MOST_STEPS
    operations: int = 1

    def has_plenty_for(self, steps: int) -> bool:
        """Returns: whether an operation may take so many, and the others need not miss them."""
        return steps <= min(self.left, _TIMES_ITS_SHARE * self.left // self.operations)

    def spend(self, steps: int) -> None:
        """Take so many steps. Raises: Rejected (422): there are not so many left."""
        if steps > self.left:
            raise self._too_many(steps)
        self.left -= steps

    def spend_all(self, steps: int) -> NoReturn:
        """Take all that is left, for what was begun. Raises: Rejected (422): it takes more."""
        error = self._too_many(steps)
        self.left = 0
        raise error

    def _too_many(self, steps: int) -> Rejected:
        detail = (
            f"This would take {steps:,} steps of checking, and {self.left:,} are left to the "
            "request. Send smaller bodies or fewer operations, or simplify the schema."
        )
        return Rejected("too_complex", detail, 422)
