"""Ping: go once through broker, worker, ledger and database.

Reads ping. Writes the request's row and its result.
"""

from schemas import topics
from schemas.messages import Ping
from schemas.states import Status
from streams import replies
from streams.stage import Claim, Outcome, Scope, Stage, Work


def stage() -> Stage[Ping]:
    """Returns: the stage."""

    async def ping(message: Ping, work: Work) -> Outcome:
        statement, output = replies.answer(
            work, status=Status.COMPLETED, result={"note": message.note}
        )
        return Outcome((statement,), (output,))

    return Stage("ping", topics.PING, ping, claim=Claim.AT_COMMIT, scope=Scope.REQUEST)
