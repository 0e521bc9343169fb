"""What was sent, and what became of it as its sender saw it."""

import json
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.orders import Kind, Order


@dataclass
class Sent:
    """An order on its way. Times are in seconds since 1970."""

    order: Order
    key: str
    sent_at: float
    target: str | None = None
    version: int | None = None
    tries: int = 0
    accepted_at: float | None = None
    request_id: str | None = None
    document_id: str | None = None
    place: tuple[str, int, int] | None = None
    refused: str | None = None
    odd: list[str] = field(default_factory=list)


class Journal:
    """All that was sent. Written down at once, so that a failed run can be looked into."""

    def __init__(self, path: Path) -> None:
        self.sent: dict[int, Sent] = {}
        self.completed: list[str] = []
        #: Objects that can be merged into, with their versions a moment ago.
        self.objects: list[tuple[str, int]] = []
        #: Tenants that were deleted, and answered so.
        self.gone: list[str] = []
        self._lines = path.open("w", encoding="utf-8", buffering=1)
        self._lock = threading.Lock()

    def note(self, what: str, **values: Any) -> None:
        """Write a line."""
        with self._lock:
            line = {"at": round(time.time(), 3), "what": what, **values}
            self._lines.write(json.dumps(line, default=str) + "\n")

    def begin(self, order: Order, key: str, target: str | None, version: int | None = None) -> Sent:
        """Enter an order that is about to be sent."""
        sent = Sent(order, key, time.time(), target, version)
        self.sent[order.number] = sent
        self.note("sent", number=order.number, kind=order.kind, key=key, target=target)
        return sent

    def accepted(self, sent: Sent, **values: Any) -> None:
        """Enter that an order is accepted."""
        sent.accepted_at = time.time()
        for name, value in values.items():
            setattr(sent, name, value)
        self.note("accepted", number=sent.order.number, tries=sent.tries, **values)

    def refused(self, sent: Sent, code: str) -> None:
        """Enter that an order was refused for good."""
        sent.refused = code
        self.note("refused", number=sent.order.number, code=code)

    def uploads(self) -> list[Sent]:
        """Returns: the documents that were accepted over HTTP, so whose ids are known."""
        return [
            sent
            for sent in list(self.sent.values())
            if sent.order.kind is Kind.UPLOAD and sent.document_id is not None
        ]

    def close(self) -> None:
        """Close the file."""
        self._lines.close()
