"""Dead steps beside dead letters: each has the other, and no step is both done and dead."""

from collections.abc import AsyncIterator
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, case, func, literal, not_, or_, select, tuple_

from schemas.states import LetterState, StepState
from schemas.tables import DEAD_LETTERS, STEPS
from streams.verify.difference import Comparison, Difference, Kind, Look
from streams.verify.stores import Stores

_UNDECODABLE: Final = "undecodable:"


def _dead() -> Select[Any]:
    # The ledger names a record that could not be decoded by its place, and so does the letter's id.
    place = func.substr(STEPS.c.run_id, len(_UNDECODABLE) + 1)
    letter = select(DEAD_LETTERS.c.dead_letter_id)
    by_place = DEAD_LETTERS.c.dead_letter_id == literal("dl_").concat(func.md5(place))
    by_document = DEAD_LETTERS.c.document_id == STEPS.c.document_id
    by_tenant = DEAD_LETTERS.c.gpt_id == STEPS.c.gpt_id
    # One lookup in an index each; a single condition for all would read every letter.
    has_letter = case(
        (STEPS.c.run_id.startswith(_UNDECODABLE), letter.where(by_place).exists()),
        (STEPS.c.document_id.is_not(None), letter.where(by_document, _same_step()).exists()),
        else_=letter.where(by_tenant, _same_step()).exists(),
    )
    name = func.concat_ws("/", STEPS.c.run_id, STEPS.c.stage, STEPS.c.part).label("name")
    return select(
        STEPS.c.gpt_id, STEPS.c.run_id, STEPS.c.stage, STEPS.c.part, STEPS.c.document_id, name
    ).where(STEPS.c.state == StepState.DEAD, not_(has_letter))


def _same_step() -> ColumnElement[bool]:
    # Letters of older releases do not name the run and the part.
    older = and_(DEAD_LETTERS.c.run_id.is_(None), DEAD_LETTERS.c.request_id == STEPS.c.request_id)
    newer = and_(DEAD_LETTERS.c.run_id == STEPS.c.run_id, DEAD_LETTERS.c.part == STEPS.c.part)
    return and_(DEAD_LETTERS.c.stage == STEPS.c.stage, or_(newer, older))


async def without_letter(stores: Stores, look: Look) -> AsyncIterator[Difference]:
    """Yield dead steps that no dead letter belongs to."""
    query = _dead()
    if look.only is not None:
        runs = {name.rsplit("/", 2)[0] for name in look.only}
        query = query.where(STEPS.c.run_id.in_(runs))
    key = tuple_(STEPS.c.gpt_id, STEPS.c.run_id, STEPS.c.stage, STEPS.c.part)
    page = query.order_by(*key).limit(500)
    rows = await stores.rows(page)
    while rows:
        for row in rows:
            detail = f"`{row.stage}` is dead, and no dead letter tells of it"
            yield Difference(
                Kind.DEAD_WITHOUT_LETTER, row.name, detail, row.gpt_id, row.document_id
            )
        look.seen(len(rows))
        last = rows[-1]
        rows = await stores.rows(
            page.where(key > (last.gpt_id, last.run_id, last.stage, last.part))
        )


def _done() -> Select[Any]:
    return (
        select(
            DEAD_LETTERS.c.dead_letter_id,
            DEAD_LETTERS.c.gpt_id,
            DEAD_LETTERS.c.document_id,
            DEAD_LETTERS.c.stage,
            STEPS.c.attempt,
        )
        .join(
            STEPS,
            and_(
                STEPS.c.gpt_id == DEAD_LETTERS.c.gpt_id,
                STEPS.c.run_id == DEAD_LETTERS.c.run_id,
                STEPS.c.stage == DEAD_LETTERS.c.stage,
                STEPS.c.part == DEAD_LETTERS.c.part,
            ),
        )
        .where(DEAD_LETTERS.c.state == LetterState.DEAD, STEPS.c.state == StepState.DONE)
    )


async def done_and_dead(stores: Stores, look: Look) -> AsyncIterator[Difference]:
    """Yield open dead letters whose step is done."""
    query = _done()
    async for rows in stores.pages(query, DEAD_LETTERS.c.dead_letter_id, only=look.only):
        for row in rows:
            detail = f"`{row.stage}` is done, but its dead letter is open"
            yield Difference(
                Kind.DONE_AND_DEAD, row.dead_letter_id, detail, row.gpt_id, row.document_id
            )
        look.seen(len(rows))


COMPARISONS: Final = (
    Comparison("dead steps and dead letters", without_letter, None),
    Comparison("dead letters and done steps", done_and_dead, None),
)
