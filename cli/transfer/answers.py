"""What the gateway's answers mean to a transfer: go on, leave one thing out, or stop."""

from typing import Final

from cli.client import Gateway, Refusal
from cli.transfer.layout import Json
from schemas.states import Status

_OF_ALL: Final = frozenset({401, 429, 503})
_OF_THE_KEY: Final = frozenset({"forbidden", "gpt_disabled"})


def concerns_all(refusal: Refusal) -> bool:
    """Returns: whether every other call would be refused too, so that going on is of no use."""
    return refusal.status in _OF_ALL or refusal.code in _OF_THE_KEY


def settled(gateway: Gateway, answer: Json) -> Json:
    """Returns: the result of a call, waited for where it was not there at once.

    Raises:
        Refusal: what was asked failed.
        Failure: the gateway does not answer.
    """
    if "status_url" not in answer:
        return answer
    state = gateway.followed(answer)
    if state["status"] == Status.COMPLETED:
        result: Json = state["result"] or {}
        return result
    problem = state.get("problem") or {}
    code = str(problem.get("code") or state["status"])
    detail = problem.get("detail") or f"the request {state['status']}"
    raise Refusal(f"{detail} ({code})", status=int(problem.get("status") or 0), code=code)
