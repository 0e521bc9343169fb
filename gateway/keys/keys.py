"""Says whose a key is, most often without a question to any server.

A key that was read is valid for `key_cache` while news of changes come in, and for half a second
otherwise; while Postgres is away, for `key_outage`. So a revoked key is refused within a second.
"""

import asyncio
import functools
import hashlib
import secrets
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from gateway.database import AWAY, EVERYONE
from gateway.direct import Direct
from gateway.errors import Unauthorised, Unavailable
from gateway.keys.issued import Issued
from gateway.keys.memory import SHARED_S, Changed, Known, Memory
from gateway.keys.turns import AT_ONCE, Turns
from gateway.metrics import Metrics
from gateway.principal import Principal
from gateway.settings import GatewaySettings
from schemas import keys
from schemas.keys import Key

_READ_S: Final = 2.0
_AWAY_S: Final = 1.0
"""After a read that failed, so long nobody waits for another."""

_NOBODYS: Final = secrets.token_bytes(32)
"""Stands for the hash of a key that nobody has: it is compared all the same."""

_INVALID: Final = "the API key is not valid; check it, or ask for a new one"
_SELECT: Final = """
SELECT k.hash, k.gpt_id, k.subject, k.scopes, k.rate_limits, k.expires_at,
       k.revoked_at IS NOT NULL, g.deleted_at IS NOT NULL, g.disabled_at IS NOT NULL
FROM api_keys k JOIN gpts g USING (gpt_id) WHERE k.key_id = %s
"""


class Keys:
    """The keys of one gateway. Make and use it on one event loop.

    Args:
        settings: the peppers, and how long keys outlive an outage.
        direct: where keys are read.
        metrics: told what answered, and what was refused.
        memory: what is remembered of them; news of changes reach it directly.
        turns: at reading keys that are not remembered.
        clock: seconds that only rise, the same as the memory's.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        direct: Direct,
        metrics: Metrics,
        memory: Memory,
        turns: Turns,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.issued = Issued()
        """Of which requests a new key was made here."""
        peppers = (settings.key_pepper, settings.previous_key_pepper)
        self._peppers = [one.get_secret_value() for one in peppers if one is not None]
        self._outage_s = settings.key_outage.total_seconds()
        self._direct = direct
        self._memory = memory
        self._clock = clock
        metrics.watch_key_changes(lambda: memory.hears(clock()))
        self._refusals = metrics.keys_refused
        self._from_memory = metrics.key_checks.labels("memory")
        self._from_database = metrics.key_checks.labels("database")
        self._in_outage = metrics.key_checks.labels("outage")
        self._reads: dict[bytes, asyncio.Task[Known | None]] = {}
        self._turns = turns
        self._turns_of_known = asyncio.Semaphore(AT_ONCE)
        self._away_until = 0.0

    def remembered(self, text: str) -> Principal | None:
        """Returns: whose key this is, if no server needs to be asked.

        Raises:
            Unauthorised, GptDisabled: the key opens nothing.
        """
        known = self._memory.find(_hash(text))
        if known is None or not self._memory.is_current(known, self._clock()):
            return None
        self._from_memory.inc()
        return self._opened(known)

    async def read(self, text: str, address: str | None) -> Principal:
        """Returns: whose key this is, after a look at its row.

        Args:
            text: the key.
            address: in whose turn it is read unless it is remembered, as `addresses.counted` has
                it; none for a key that has opened something here, and was forgotten since.

        Raises:
            Unauthorised, GptDisabled: the key opens nothing.
            Unavailable: Postgres is away, or has too much to do with keys that are not known, and
                this key was not valid a short while ago.
        """
        sent = _hash(text)
        try:
            key = keys.parse(text)
        except keys.NotAKey as error:
            self.count_refusal("malformed")
            raise Unauthorised(f"the API key is not valid: {error}") from None
        try:
            known = await self._shared(sent, key, address)
        except Unavailable:
            known = self._memory.find(sent)
            if known is None or self._clock() - known.read_at > self._outage_s:
                raise
            self._in_outage.inc()
        if known is None:
            self.count_refusal(self._memory.refused(sent, self._clock()) or "unknown")
            raise Unauthorised(_INVALID)
        return self._opened(known)

    def follow(self, told: Changed) -> None:
        """Have someone told, at once, of which keys nothing is remembered any more."""
        self._memory.follow(told)

    def count_refusal(self, reason: str) -> None:
        """Count a call that is refused for its key, or for the lack of one."""
        self._refusals.labels(reason).inc()

    def _opened(self, known: Known) -> Principal:
        refusal = known.refusal()
        if refusal is None:
            return known.principal
        self.count_refusal(refusal[0])
        raise refusal[1]

    async def _shared(self, sent: bytes, key: Key, address: str | None) -> Known | None:
        """Returns: what the key's row says now, read once for all who ask at the same time."""
        arrived_at = self._clock()
        while True:
            if self._memory.refused(sent, arrived_at):
                return None
            task = self._reads.get(sent)
            if task is None:
                task = asyncio.create_task(self._read(sent, key, address))
                self._reads[sent] = task
                task.add_done_callback(functools.partial(self._done, sent))
            # Whoever goes away must not take the read from the others.
            known = await asyncio.shield(task)
            if known is None or known.read_at > arrived_at - SHARED_S:
                return known

    def _done(self, sent: bytes, task: asyncio.Task[Known | None]) -> None:
        del self._reads[sent]
        if not task.cancelled():
            # Where nobody waits any more, the error is nobody's.
            task.exception()

    async def _read(self, sent: bytes, key: Key, address: str | None) -> Known | None:
        async with self._turn(sent, address):
            row, began_at = await self._row(key.key_id)
        self._from_database.inc()
        kept = _NOBODYS if row is None else row[0]
        right = key.is_hashed_as(kept, *self._peppers)
        if row is None or not right:
            reason = "unknown" if row is None else "wrong"
            self._memory.refuse(sent, reason, self._clock())
            return None
        known = _known(key.key_id, row, began_at)
        self._memory.keep(sent, known)
        return known

    def _turn(self, sent: bytes, address: str | None) -> AbstractAsyncContextManager[None]:
        # Whoever sends many keys that nobody has does not stand before those that were valid.
        if address is None or self._memory.find(sent) is not None:
            return self._turns_of_known
        return self._turns.taken(address)

    async def _row(self, key_id: str) -> tuple[tuple[Any, ...] | None, float]:
        """Returns: the key's row, of which no news came while it was read, and when that began."""
        while True:
            now = self._clock()
            if now < self._away_until:
                raise Unavailable(AWAY)
            reading = self._memory.begin(key_id)
            try:
                async with asyncio.timeout(_READ_S):
                    row = await self._direct.row(EVERYONE, _SELECT, (key_id,))
            except (Unavailable, TimeoutError) as error:
                self._away_until = self._clock() + _AWAY_S
                raise Unavailable(AWAY) from error
            finally:
                self._memory.end(reading)
            if not reading.outdated:
                return row, now


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _known(key_id: str, row: tuple[Any, ...], read_at: float) -> Known:
    _, gpt_id, subject, scopes, rate_limits, expires_at, revoked, deleted, disabled = row
    return Known(
        principal=Principal(gpt_id, subject, key_id, frozenset(scopes), rate_limits),
        read_at=read_at,
        revoked=revoked,
        deleted=deleted,
        disabled=disabled,
        expires_at=None if expires_at is None else expires_at.timestamp(),
    )
