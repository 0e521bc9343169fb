"""Models' answers that were kept for replays go when no step of their run can ask for them again.

A document's fields are in its run; the answers that they came from are of no use then.
"""

from datetime import timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.states import StepState
from streams.collections import rows
from streams.retention.walk import Page, Place

_PAGE: Final = 500
_OVER: Final = [str(StepState.DONE), str(StepState.CANCELLED)]
"""A dead step may be redriven; then an answer that is there is not paid for again."""

_LOOK: Final = """
SELECT a.gpt_id, a.run_id, a.call, a.prompt_hash,
    a.created_at < clock_timestamp() - %(keep)s::interval
    AND NOT EXISTS (SELECT 1 FROM steps s WHERE s.gpt_id = a.gpt_id AND s.run_id = a.run_id
                    AND s.state <> ALL(%(over)s))
FROM model_answers a
WHERE (a.gpt_id, a.run_id, a.call, a.prompt_hash)
    > (%(gpt_id)s, %(run_id)s, %(call)s, %(prompt_hash)s)
ORDER BY a.gpt_id, a.run_id, a.call, a.prompt_hash LIMIT %(page)s
"""
_REMOVE: Final = """
DELETE FROM model_answers a USING unnest(%s::text[], %s::text[], %s::text[], %s::text[])
    AS n (gpt_id, run_id, call, prompt_hash)
WHERE a.gpt_id = n.gpt_id AND a.run_id = n.run_id AND a.call = n.call
    AND a.prompt_hash = n.prompt_hash
"""


class Answers:
    """The walk through models' answers in the order of their primary key."""

    name = "model_answers"

    async def page(self, connection: AsyncConnection, after: Place | None, keep: timedelta) -> Page:
        """Remove what is over in the next page."""
        names = ("gpt_id", "run_id", "call", "prompt_hash")
        place = dict(zip(names, after or ("", "", "", ""), strict=True))
        given = {**place, "keep": keep, "over": _OVER, "page": _PAGE}
        found = await rows.fetch(connection, _LOOK, given)
        over = [row[:4] for row in found if row[4]]
        removed = 0
        if over:
            gone = await connection.exec_driver_sql(_REMOVE, rows.columns(over))
            removed = gone.rowcount
        return Page(removed, tuple(found[-1][:4]) if len(found) == _PAGE else None)
