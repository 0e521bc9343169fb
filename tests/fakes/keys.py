"""A table of keys in memory, whose reads end when the test says so."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateway.errors import Unavailable
from schemas.keys import Key

Row = tuple[Any, ...]


@dataclass
class KeyRow:
    """A row of `api_keys` with its tenant's."""

    hash: bytes
    gpt_id: str = "demo"
    subject: str | None = None
    scopes: tuple[str, ...] = ("read", "write")
    rate_limits: str | None = None
    expires_at: datetime | None = None
    revoked: bool = False
    deleted: bool = False
    disabled: bool = False

    def shown(self) -> Row:
        """As the gateway selects it."""
        return (
            self.hash,
            self.gpt_id,
            self.subject,
            list(self.scopes),
            self.rate_limits,
            self.expires_at,
            self.revoked,
            self.deleted,
            self.disabled,
        )


@dataclass
class Read:
    """One read: the server executes it at one time, and its answer comes at another."""

    key_id: str
    began_at: float
    answer: "asyncio.Future[Row | None]"
    seen: Row | None = None
    executed: bool = False


@dataclass
class FakeDirect:
    """Stands for `gateway.direct.Direct`; with `held` reads wait for `execute` and `deliver`."""

    clock: Callable[[], float]
    rows: dict[str, KeyRow] = field(default_factory=dict)
    held: bool = False
    away: bool = False
    asked: int = 0
    reads: deque[Read] = field(default_factory=deque)

    def enter(self, key: Key, pepper: str, **values: Any) -> KeyRow:
        """Store a key."""
        self.rows[key.key_id] = KeyRow(key.hashed(pepper), **values)
        return self.rows[key.key_id]

    async def row(self, tenant: str, sql: str, parameters: tuple[str]) -> Row | None:
        """The row of a key, as the gateway asks for it."""
        assert (tenant, "api_keys" in sql) == ("*", True)
        self.asked += 1
        if self.away:
            raise Unavailable("away")
        if not self.held:
            return self.now(parameters[0])
        answer = asyncio.get_running_loop().create_future()
        self.reads.append(Read(parameters[0], self.clock(), answer))
        return await answer

    def now(self, key_id: str) -> Row | None:
        """The row as it is."""
        row = self.rows.get(key_id)
        return None if row is None else row.shown()

    def execute(self) -> None:
        """Have the server execute the oldest read that it has not executed."""
        for read in self.reads:
            if not read.executed:
                read.seen, read.executed = self.now(read.key_id), True
                return

    def deliver(self) -> Read | None:
        """Have the answer of the oldest read come, if the server has executed it."""
        if not self.reads or not self.reads[0].executed:
            return None
        read = self.reads.popleft()
        read.answer.set_result(read.seen)
        return read

    def fail(self) -> Read | None:
        """Have the oldest read fail."""
        if not self.reads:
            return None
        read = self.reads.popleft()
        read.answer.set_exception(Unavailable("away"))
        return read
