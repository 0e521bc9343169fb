"""The SQL that the product runs, recorded from its own code, so that peers run the same.

Reads are recorded without a database. A write is recorded from the real stage's transaction, and
made into a script for pgbench: what must be new every time becomes a random id.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import psycopg
from sqlalchemy.ext.asyncio import create_async_engine

from gateway.connection import Found, Parameters
from gateway.direct import Direct
from schemas.envelope import Envelope
from schemas.ids import REQUEST, Ids
from schemas.topics import RESULTS, WRITE_COLLECTION
from schemas.writes import WriteCollection
from streams.batch_ledger import BatchLedger, Turn
from streams.clients.postgres import Database
from streams.stage import BatchStage, StepKey, Work
from streams.wire import Incoming

_EVENT: Final = 9_000_000_000_000_000_001
"""Stands for the number of an event, which comes from a counter's row."""

_KNOWN: Final = "known-"
_NEW: Final = re.compile(
    rf"(?<!{_KNOWN})(?:(?:obj|req)_[0-9a-f]{{32}}_[a-z2-7]{{16}}|evt_[0-9a-f]{{32}}|{_EVENT})"
)
_PLACE: Final = re.compile(r"%[sb](?:::(\w+))?")
"""A value's place in a statement, with its type; events' numbers are the only big ones there."""
_LITERAL: Final = re.compile(r"E'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'", re.DOTALL)
_VARIABLE: Final = re.compile(r"(?<!:):(?=[A-Za-z_])")


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement with what it was given."""

    sql: str
    parameters: Parameters

    def text(self, connection: psycopg.Connection[Any]) -> str:
        """Returns: it with its values in it, as pgbench takes it."""
        cursor = psycopg.ClientCursor(connection)
        whole = cursor.mogrify(self.sql.encode(), self.parameters)
        # A colon before a letter would name a variable; in JSON a space after it means nothing.
        return _VARIABLE.sub(": ", whole).strip().rstrip(";") + ";\n"


class Recorder:
    """Stands in for the gateway's reads: finds nothing, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Statement] = []

    @property
    def direct(self) -> Direct:
        """Returns: itself, as queries take it."""
        return cast("Direct", self)

    async def rows(self, _: str, sql: str, parameters: Parameters = ()) -> Found:
        """Returns: no rows."""
        self.asked.append(Statement(sql, parameters))
        return []

    async def walk(self, tenant: str, sql: str, parameters: Parameters = ()) -> Found:
        """Returns: no rows."""
        return await self.rows(tenant, sql, parameters)

    async def row(self, tenant: str, sql: str, parameters: Parameters = ()) -> None:
        """Returns: no row."""
        await self.rows(tenant, sql, parameters)


@dataclass(frozen=True, slots=True)
class Writer:
    """Does writes as a worker does them, one record a transaction, and keeps the statements."""

    stage: BatchStage[WriteCollection]
    url: str
    ids: Ids
    gpt_id: str

    async def record(self, message: WriteCollection) -> list[Statement]:
        """Do one write. Returns: the statements of its transaction, without BEGIN and COMMIT."""
        asked: list[Statement] = []

        class Keeping(psycopg.AsyncConnection[Any]):
            async def execute(self, query: Any, params: Any = None, **options: Any) -> Any:  # noqa: ANN401
                asked.append(_asked(query.decode(), params))
                return await super().execute(query, params, **options)

        database = Database(
            create_async_engine(
                self.url, pool_size=1, connect_args={"async_creator_fn": Keeping.connect}
            )
        )
        try:
            await BatchLedger(database, owner="bench").commit(self.stage, [self._turn(message)])
        finally:
            await database.close()
        return asked

    def _turn(self, message: WriteCollection) -> Turn:
        request_id = self.ids.mint(REQUEST, self.gpt_id)
        envelope = Envelope(
            request_id=request_id,
            gpt_id=self.gpt_id,
            schema_name=WRITE_COLLECTION.schema_name,
            correlation_id=request_id,
        )
        key = StepKey(self.gpt_id, request_id, self.stage.name, 0)
        work = Work(key, envelope, WRITE_COLLECTION.name, None)
        return Turn(cast("Incoming", None), message, work, RESULTS.name)


def _asked(sql: str, parameters: Any) -> Statement:  # noqa: ANN401 - as psycopg takes them
    if "INTO events" in sql:
        at = _PLACE.findall(sql).index("bigint")
        numbers = [_EVENT] * len(parameters[at])
        parameters = (*parameters[:at], numbers, *parameters[at + 1 :])
    return Statement(sql, parameters)


def script(texts: Iterable[str], known: Mapping[str, str] | None = None) -> str:
    """Make a transaction that pgbench can run again and again.

    Args:
        texts: of its statements.
        known: ids of objects that are there, each with the one to take in its place.

    Returns: the script; all other ids in it are random ones, new in each transaction.
    """
    whole = "".join(texts)
    for before, after in (known or {}).items():
        whole = whole.replace(before, f"{_KNOWN}{after}")
    return f"BEGIN;\n{_LITERAL.sub(_renewed, whole).replace(_KNOWN, '')}COMMIT;\n"


def _renewed(literal: re.Match[str]) -> str:
    """Returns: a text literal whose ids and numbers of events are put in by Postgres."""
    text = literal[0]
    opening, place = ("E'" if text.startswith("E") else "'"), 0
    pieces = []
    for found in _NEW.finditer(text):
        value = "(random() * 9e18)::bigint" if found[0] == str(_EVENT) else "gen_random_uuid()"
        pieces += [f"{opening if place else ''}{text[place : found.start()]}'", f"{value}::text"]
        place = found.end()
    return f"({' || '.join([*pieces, opening + text[place:]])})" if pieces else text
