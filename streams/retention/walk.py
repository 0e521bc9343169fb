"""A walk through one table in the order of an index, page by page, each in a transaction.

All times are the database's.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.states import FINAL, SETTLED

ENDED: Final = sorted(map(str, FINAL))
"""States of requests in which nothing is done for them any more."""

STANDING: Final = sorted(map(str, SETTLED))
"""States of steps on which nobody works."""

# Of the step `s`: its document is there, and it tells how that came in or got where it is.
OF_A_LIVING_DOCUMENT: Final = """
EXISTS (SELECT 1 FROM documents d WHERE d.document_id = s.document_id AND d.deleted_at IS NULL
        AND (d.run_id = s.run_id OR d.request_id = s.request_id))
"""

Place = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """What became of a page: how many rows went, and behind which place the next one begins.

    None is the place where the walk has come to its end.
    """

    removed: int
    after: Place | None


class Walk(Protocol):
    """What of one table is over, and how it goes."""

    @property
    def name(self) -> str:
        """Returns: the table."""
        ...

    async def page(self, connection: AsyncConnection, after: Place | None, keep: timedelta) -> Page:
        """Remove what is over in the next page, the first one where `after` is None."""
        ...
