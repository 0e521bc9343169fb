"""Discard: mark dead letters as not to be sent again; they stay readable.

Reads discard-dead-letters. Writes dead_letters and the request's answer.
"""

from typing import Final

from schemas import topics
from schemas.messages import DiscardDeadLetters
from schemas.states import LetterState
from streams import letters, parts
from streams.clients.postgres import Database
from streams.stage import Claim, Outcome, Scope, Stage, Work

_MOST: Final = 500
"""Letters of one part: a statement of a few milliseconds."""


def stage(database: Database) -> Stage[DiscardDeadLetters]:
    """Returns: the stage."""

    async def discard(message: DiscardDeadLetters, work: Work) -> Outcome:
        known = await letters.progress(database, work)
        part = await letters.part(database, work, message, known, most=_MOST)
        if part.ended:
            return letters.answer(work, part.progress, LetterState.DISCARDED)
        decided = part.progress.with_decided(len(part.ids))
        statements = parts.noted(work, decided)
        if part.ids:
            statements += letters.decide(part.ids, LetterState.DISCARDED, message.by)
        return Outcome(statements, hand_over=True)

    return Stage(
        "discard",
        topics.DISCARD_DEAD_LETTERS,
        discard,
        claim=Claim.AT_COMMIT,
        scope=Scope.REQUEST,
    )
