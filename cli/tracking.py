"""Documents on their way: what is known of each, and asking the gateway for more."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cli.client import Gateway, Refusal
from schemas.states import FINAL, SETTLED, Status

UPLOADING: Final = "uploading"
REFUSED: Final = "refused"
_ENDED: Final = frozenset({*FINAL, REFUSED})
_ASKED_AT_ONCE: Final = 24
"""Documents asked for in one round; the oldest are the likeliest to have moved."""


@dataclass(slots=True)
class Tracked:
    """One document; `detail` is the gateway's last answer about it, if it gave one.

    `status` is one of the gateway's, or `uploading`, or `refused` where it was not taken.
    """

    name: str
    path: Path | None = None
    document_id: str | None = None
    status: str = UPLOADING
    problem: str | None = None
    detail: dict[str, Any] = field(default_factory=dict)
    size_bytes: int = 1
    sent_bytes: int = 0

    @property
    def ended(self) -> bool:
        """Returns: whether nothing more will happen to it by itself."""
        return self.status in _ENDED

    @property
    def succeeded(self) -> bool:
        """Returns: whether it was worked off."""
        return self.status == Status.COMPLETED

    @property
    def step(self) -> str:
        """Returns: what happens to it now, such as `parse` or `classify, waits for models`."""
        if self.status == UPLOADING:
            return f"{self.sent_bytes * 100 // self.size_bytes} %" if self.sent_bytes else ""
        timeline = self.detail.get("timeline") or []
        if self.ended or not timeline:
            return ""
        last = timeline[-1]
        if last["state"] in SETTLED:
            return f"{last['stage']} done"
        waits = last.get("waiting_for")
        return f"{last['stage']}, waits for {waits}" if waits else str(last["stage"])

    def learn(self, detail: dict[str, Any]) -> None:
        """Take over what the gateway said of the document."""
        self.detail = detail
        self.document_id = detail["document_id"]
        if self.path is None and detail.get("filename"):
            self.name = detail["filename"]
        self.status = detail["status"]
        problem = detail.get("problem")
        self.problem = f"{problem['detail']} ({problem['code']})" if problem else None

    def accept(self, document_id: str) -> None:
        """Note that the gateway took it; what became of it is asked for later."""
        self.document_id = document_id
        self.status = Status.ACCEPTED

    def sent(self, count: int) -> None:
        """Note how many of its bytes are under way."""
        self.sent_bytes = count

    def refuse(self, reason: str) -> None:
        """Note that the document was not taken or cannot be asked for any more."""
        self.status = REFUSED
        self.problem = reason

    def to_json(self) -> dict[str, Any]:
        """Returns: what a machine wants to know of it."""
        known = ("type", "type_confidence", "confidence", "needs_review", "fields", "duplicate_of")
        return {
            "name": self.name,
            "document_id": self.document_id,
            "status": self.status,
            **{name: self.detail.get(name) for name in known},
            "problem": self.problem,
        }


def refresh(gateway: Gateway, documents: Iterable[Tracked]) -> None:
    """Ask for the documents that have not ended, the first few of them.

    Raises:
        Failure: the gateway does not answer.
    """
    open_ones = [one for one in documents if one.document_id and not one.ended]
    for one in open_ones[:_ASKED_AT_ONCE]:
        try:
            one.learn(gateway.call("GET", f"/v1/documents/{one.document_id}"))
        except Refusal as refusal:
            one.refuse(str(refusal))
