"""Dead letters that a request chose, looked through in parts; the progress is kept in the ledger.

Reads dead_letters. `redrive` and `discard` decide on what is found here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict
from sqlalchemy import ColumnElement, Row, Select, func, select, tuple_, update
from sqlalchemy.sql.base import Executable

from schemas.messages import DeadLetterChoice
from schemas.states import LetterState, Status
from schemas.tables import DEAD_LETTERS
from streams import parts, replies
from streams.clients.postgres import Database
from streams.errors import Fenced, Refused
from streams.stage import Guarded, Outcome, Work

_SHOWN: Final = 50
"""How many of the skipped ones an answer names."""
_PART_BYTES: Final = 4 * 1024 * 1024
"""Values that one part holds together: they go through one row of the ledger."""


class Skipped(BaseModel):
    """A letter on which nothing was decided, and why."""

    model_config = ConfigDict(frozen=True)

    id: str
    reason: str


class Progress(BaseModel):
    """How far a request has come.

    Conditions choose no letter that is younger than `before`, or one that dies again would be sent
    again for ever. `looked_at` counts the letters that were looked at, `after` is the last of them,
    `latest` how many the last part decided on.
    """

    model_config = ConfigDict(frozen=True)

    before: AwareDatetime
    after: tuple[AwareDatetime, str] | None = None
    looked_at: int = 0
    latest: int = 0
    decided: int = 0
    skipped_count: int = 0
    skipped: tuple[Skipped, ...] = ()

    def with_decided(self, count: int) -> "Progress":
        """Returns: the progress with so many more decided on."""
        return self.model_copy(update={"latest": count, "decided": self.decided + count})

    def with_skipped(self, letters: Sequence[Skipped]) -> "Progress":
        """Returns: the progress with these skipped."""
        count = self.skipped_count + len(letters)
        shown = (*self.skipped, *letters)[:_SHOWN]
        return self.model_copy(update={"skipped_count": count, "skipped": shown})


@dataclass(frozen=True, slots=True)
class Part:
    """The open letters of one part, and the progress with all that were looked at.

    `ended` says that there was none to look at any more.
    """

    ids: tuple[str, ...]
    progress: Progress
    ended: bool


async def progress(database: Database, work: Work) -> Progress:
    """Returns: how far the parts before this one have come."""
    known = await parts.before(database, work)
    if known is not None:
        return Progress.model_validate(known)
    async with database.transaction() as connection:
        return Progress(before=(await connection.execute(select(func.now()))).scalar_one())


async def part(
    database: Database, work: Work, choice: DeadLetterChoice, known: Progress, *, most: int
) -> Part:
    """Returns: the next letters of a choice, at most so many.

    Raises: Refused (422): nothing was chosen.
    """
    conditions = _conditions(choice)
    if not choice.ids and not conditions:
        ways = "`stage`, `error`, `since`, `until` or `batch_id`"
        detail = f"Name letters by `ids`, or choose them by {ways}."
        raise Refused("empty_choice", detail, 422)
    names = tuple(dict.fromkeys(choice.ids))[known.looked_at : known.looked_at + most]
    if choice.ids:
        conditions = [DEAD_LETTERS.c.dead_letter_id.in_(names)]
    else:
        conditions += _ahead(known)
    rows = await _read(database, work.gpt_id, conditions, most)
    known_rows = {row.dead_letter_id: row for row in rows}
    looked_at = _bounded({name: known_rows.get(name) for name in names or known_rows})
    state = {name: "not_found" if row is None else row.state for name, row in looked_at.items()}
    last = next((row for row in reversed(looked_at.values()) if row is not None), None)
    seen = known.model_copy(
        update={
            "looked_at": known.looked_at + len(looked_at),
            "after": known.after if last is None else (last.created_at, last.dead_letter_id),
        }
    )
    skipped = [Skipped(id=name, reason=it) for name, it in state.items() if it != LetterState.DEAD]
    return Part(
        tuple(name for name, it in state.items() if it == LetterState.DEAD),
        seen.with_skipped(skipped),
        ended=not looked_at,
    )


def _conditions(choice: DeadLetterChoice) -> list[ColumnElement[bool]]:
    columns, conditions = DEAD_LETTERS.c, list[ColumnElement[bool]]()
    if choice.stage is not None:
        conditions.append(columns.stage == choice.stage)
    if choice.error is not None:
        conditions.append(columns.error == choice.error)
    if choice.since is not None:
        conditions.append(columns.created_at >= choice.since)
    if choice.until is not None:
        conditions.append(columns.created_at < choice.until)
    if choice.batch_id is not None:
        conditions.append(columns.batch_id == choice.batch_id)
    return conditions


def _ahead(known: Progress) -> list[ColumnElement[bool]]:
    columns = DEAD_LETTERS.c
    conditions = [columns.state == LetterState.DEAD, columns.created_at < known.before]
    if known.after is not None:
        place = tuple_(columns.created_at, columns.dead_letter_id)
        conditions.append(place > tuple_(*known.after))
    return conditions


async def _read(
    database: Database, gpt_id: str, conditions: Sequence[ColumnElement[bool]], most: int
) -> Sequence[Row[Any]]:
    columns = DEAD_LETTERS.c
    query: Select[Any] = (
        select(
            columns.dead_letter_id,
            columns.state,
            columns.created_at,
            func.coalesce(func.octet_length(columns.record_value), 0).label("size"),
        )
        .where(columns.gpt_id == gpt_id, *conditions)
        .order_by(columns.created_at, columns.dead_letter_id)
        .limit(most)
    )
    async with database.transaction() as connection:
        rows: Sequence[Row[Any]] = (await connection.execute(query)).all()
    return rows


def _bounded(letters: dict[str, Row[Any] | None]) -> dict[str, Row[Any] | None]:
    """Returns: the first letters, at least one, whose values fit one part."""
    total, kept = 0, dict[str, Row[Any] | None]()
    for name, row in letters.items():
        total += row.size if row is not None else 0
        if kept and total > _PART_BYTES:
            break
        kept[name] = row
    return kept


def decide(ids: Sequence[str], state: LetterState, by: str) -> list[Executable | Guarded]:
    """Returns: the statements that decide on letters; all of them are open, or all is done anew.

    Locked first and counted then, because a count sees what was committed before its statement.
    """
    columns = DEAD_LETTERS.c
    locked = (
        select(columns.dead_letter_id)
        .where(columns.dead_letter_id.in_(ids))
        .order_by(columns.dead_letter_id)
        .with_for_update()
    )
    others = DEAD_LETTERS.alias()
    count = select(func.count()).where(
        others.c.dead_letter_id.in_(ids), others.c.state == LetterState.DEAD
    )
    decided = (
        update(DEAD_LETTERS)
        .where(columns.dead_letter_id.in_(ids), count.scalar_subquery() == len(ids))
        .values(state=state, decided_by=by, decided_at=func.now())
    )
    return [locked, Guarded(decided, Fenced())]


def answer(work: Work, known: Progress, verb: LetterState) -> Outcome:
    """Returns: the end of a request whose letters have all been looked at."""
    result = {
        str(verb): known.decided,
        "skipped_count": known.skipped_count,
        "skipped": [each.model_dump() for each in known.skipped],
    }
    settled, output = replies.answer(work, status=Status.COMPLETED, result=result)
    return Outcome((*parts.noted(work, known), settled), (output,))
