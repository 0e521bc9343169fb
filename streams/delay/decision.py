"""What a record on a retry topic asks for: when it is due, and where it goes then.

Nothing that stands in a record may block those behind it: what cannot be read is replaced by what
the topic itself says, and a record that names no stage's topic goes to the topic's dead letters.
"""

from dataclasses import dataclass
from typing import Final

from schemas.topics import READERS, Delay, again

NOT_BEFORE: Final = "not-before"
RETURN_TO: Final = "return-to"
MARGIN_MS: Final = 60_000
"""How much later than its topic's delay a record may ask to be held: clocks differ by less."""
_RETURNS: Final = frozenset(again(stage) for stage in READERS)
_OWN: Final = frozenset({NOT_BEFORE, RETURN_TO})
_MOST_DIGITS: Final = 15
_SHOWN: Final = 80

RawHeaders = tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A record as it was read; `written_ms` is its own time, Unix milliseconds, if it has one."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: RawHeaders
    written_ms: int | None


@dataclass(frozen=True, slots=True)
class Return:
    """Where a record goes, not before when (Unix milliseconds), and what was wrong with it."""

    topic: str
    due_ms: int
    headers: RawHeaders
    problem: str | None = None


def decide(delay: Delay, record: Waiting, now_ms: int) -> Return:
    """Returns: what is to be done with a record that was read at `now_ms` from this retry topic."""
    said = dict(record.headers)
    target = (said.get(RETURN_TO) or b"").decode(errors="replace")
    if target not in _RETURNS:
        problem = f"no stage takes records back on {target[:_SHOWN]!r}"
        marks = (("error", b"unknown_return"), ("reason", problem.encode()))
        return Return(delay.dead_letter, now_ms, (*record.headers, *marks), problem)
    kept = tuple(pair for pair in record.headers if pair[0] not in _OWN)
    # A time in the future says that two clocks differ, and then ours is the one that is waited by.
    written_ms = now_ms if record.written_ms is None else min(record.written_ms, now_ms)
    usual_ms = written_ms + delay.seconds * 1000
    asked_ms = _milliseconds(said.get(NOT_BEFORE))
    if asked_ms is None or asked_ms > usual_ms + MARGIN_MS:
        problem = f"{NOT_BEFORE} is missing, unreadable or too late: held for the usual time"
        return Return(target, usual_ms, kept, problem)
    return Return(target, asked_ms, kept)


def _milliseconds(text: bytes | None) -> int | None:
    if text is None or not text.isdigit() or len(text) > _MOST_DIGITS:
        return None
    return int(text)
