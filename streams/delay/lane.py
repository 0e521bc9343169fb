"""The records of one partition that were read and are not yet returned, in their order."""

from collections import deque
from dataclasses import dataclass
from typing import Final

from streams.delay.decision import Return, Waiting

MOST_RECORDS: Final = 200
MOST_BYTES: Final = 2 * 1024 * 1024
"""A partition is paused when either is reached, so memory is bounded whatever waits on it.

Reading ahead this far makes that rare: what comes next is at hand when it is due, while a resumed
partition has to be fetched anew.
"""
NOTHING: Final = -1
"""The offset of a lane that has none to commit."""


@dataclass(slots=True, eq=False)
class Held:
    """A record and what becomes of it; after a failure it is not sent again before `again_ms`."""

    record: Waiting
    back: Return
    again_ms: int = 0
    sent: bool = False
    acknowledged: bool = False

    @property
    def ready_ms(self) -> int:
        """Returns: when it may be sent, Unix milliseconds."""
        return max(self.back.due_ms, self.again_ms)

    @property
    def size(self) -> int:
        """Returns: its bytes, headers aside."""
        return len(self.record.key or b"") + len(self.record.value or b"")


class Lane:
    """What is held of one partition.

    `done` is the offset to commit: all before it is acknowledged on its new topic. `committing` was
    handed to the brokers, `committed` is theirs.
    """

    def __init__(self) -> None:
        self._held: deque[Held] = deque()
        self._bytes = 0
        self.done = NOTHING
        self.committing = NOTHING
        self.committed = NOTHING

    @property
    def count(self) -> int:
        """Returns: how many records are held."""
        return len(self._held)

    @property
    def full(self) -> bool:
        """Returns: whether no more should be read for now."""
        return len(self._held) >= MOST_RECORDS or self._bytes >= MOST_BYTES

    @property
    def uncommitted(self) -> bool:
        """Returns: whether there is an offset to hand to the brokers."""
        return self.done > max(self.committing, self.committed)

    def add(self, held: Held) -> None:
        """Put a record behind the others."""
        self._held.append(held)
        self._bytes += held.size

    def due(self, now_ms: int) -> list[Held]:
        """Returns: what is to be sent now; nothing behind a record that is not due."""
        found = []
        for held in self._held:
            if held.back.due_ms > now_ms:
                break
            if not held.sent and held.again_ms <= now_ms:
                found.append(held)
        return found

    def next_ms(self) -> int | None:
        """Returns: when something may be sent next, Unix milliseconds; None if all of it is."""
        return next((held.ready_ms for held in self._held if not held.sent), None)

    def settle(self) -> None:
        """Let go of what is acknowledged up to the first record that is not."""
        while self._held and self._held[0].acknowledged:
            held = self._held.popleft()
            self._bytes -= held.size
            self.done = held.record.offset + 1
