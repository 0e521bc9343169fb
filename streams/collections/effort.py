"""How much one request may make the stage do, in steps of well under a microsecond.

All that is judged together is judged within one transaction, which holds locks and must not stand
still for longer than the server allows. Without a bound, 500 merges into one object of 256 KiB
would take a minute.
"""

from dataclasses import dataclass
from typing import Final

from streams.collections.rejected import Rejected

MOST_STEPS: Final = 1_000_000
"""About half a second, where all of them are needed."""


@dataclass(slots=True)
class Effort:
    """What is left to one request."""

    left: int = MOST_STEPS

    def spend(self, steps: int) -> None:
        """Take so many steps. Raises: Rejected (422): there are not so many left."""
        if steps > self.left:
            detail = (
                f"This would take {steps:,} steps of checking, and {self.left:,} are left to the "
                "request. Send smaller bodies or fewer operations, or simplify the schema."
            )
            raise Rejected("too_complex", detail, 422)
        self.left -= steps
