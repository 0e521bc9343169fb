"""What a gateway remembers of keys: bounded, and forgotten as soon as news of a change come.

Keys are found by the SHA-256 of what the client sent, so that only a key whose secret was right is
ever found, and a wrong secret takes the same way as a key that nobody has.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gateway.errors import GatewayError, GptDisabled, Unauthorised
from gateway.principal import Principal

MOST: Final = 10_000
"""Keys remembered, and as many refusals; a key takes about a kilobyte."""

REFUSED_S: Final = 5.0
"""How long a refusal is remembered; news of any key end that."""

CURRENT_S: Final = 0.9
"""News are current so long after a broker has said that none are left to read."""

SHARED_S: Final = 0.5
"""How long a read serves all calls of a key while no news vouch for it."""

_NEVER: Final = float("-inf")

Changed = Callable[[str, tuple[str, ...]], None]
"""Told of a tenant and these keys of it, or of all where none is named."""


@dataclass(frozen=True, slots=True)
class Known:
    """A key whose secret was right, as its row was. `read_at` is when the read began (monotonic).

    `revoked`, `deleted` and `disabled` say why it opens nothing: the key was revoked, its tenant
    was deleted or is disabled. `expires_at` is in Unix seconds.
    """

    principal: Principal
    read_at: float
    revoked: bool = False
    deleted: bool = False
    disabled: bool = False
    expires_at: float | None = None

    def refusal(self) -> tuple[str, GatewayError] | None:
        """Returns: why the key opens nothing, as a word and as an error; none where it opens."""
        if self.revoked:
            return "revoked", Unauthorised("the API key has been revoked; ask for a new one")
        if self.deleted:
            return "deleted", Unauthorised("the API key's GPT has been deleted")
        if self.expires_at is not None and self.expires_at <= time.time():
            return "expired", Unauthorised("the API key has expired; ask for a new one")
        if self.disabled:
            return "disabled", GptDisabled("this GPT is disabled; its operator can enable it again")
        return None


@dataclass(slots=True, eq=False)
class Reading:
    """A read of a key on its way. `outdated`: news of the key came since it began."""

    key_id: str
    outdated: bool = False


class Memory:
    """Keys by the hash of what was sent; use it on one event loop. All times are monotonic.

    Args:
        cache_s: how long a key that was read is current while news of changes come in.
        most: keys remembered.
    """

    def __init__(self, cache_s: float, most: int = MOST) -> None:
        self._cache_s = cache_s
        self._most = most
        self._known: OrderedDict[bytes, Known] = OrderedDict()
        self._hashes: dict[str, bytes] = {}
        self._refused: OrderedDict[bytes, tuple[str, float]] = OrderedDict()
        self._readings: set[Reading] = set()
        self._followers: list[Changed] = []
        self._heard_at = _NEVER
        self._sure_since = _NEVER

    def find(self, sent: bytes) -> Known | None:
        """Returns: the key that was sent, if it is remembered."""
        found = self._known.get(sent)
        if found is not None:
            self._known.move_to_end(sent)
        return found

    def is_current(self, known: Known, now: float) -> bool:
        """Returns: whether a key needs no look at its row: it is as it was half a second ago."""
        age_s = now - known.read_at
        return age_s < SHARED_S or (
            age_s < self._cache_s and known.read_at > self._sure_since and self.hears(now)
        )

    def refused(self, sent: bytes, now: float) -> str | None:
        """Returns: why this was refused a few seconds ago, if it was."""
        reason, until = self._refused.get(sent, ("", 0.0))
        return reason if now < until else None

    def begin(self, key_id: str) -> Reading:
        """Returns: the note of a read that begins; `end` it, whatever comes of it."""
        reading = Reading(key_id)
        self._readings.add(reading)
        return reading

    def end(self, reading: Reading) -> None:
        """Forget the note."""
        self._readings.discard(reading)

    def keep(self, sent: bytes, known: Known) -> None:
        """Remember what a read has found that is not outdated; a key is found in one form only."""
        key_id = known.principal.key_id
        before = self._hashes.get(key_id)
        if before is not None:
            self._known.pop(before, None)
        self._hashes[key_id] = sent
        self._known[sent] = known
        if len(self._known) > self._most:
            _, oldest = self._known.popitem(last=False)
            del self._hashes[oldest.principal.key_id]

    def refuse(self, sent: bytes, reason: str, now: float) -> None:
        """Remember for a while that this opens nothing."""
        known = self._known.pop(sent, None)
        if known is not None:
            del self._hashes[known.principal.key_id]
        self._refused[sent] = (reason, now + REFUSED_S)
        self._refused.move_to_end(sent)
        if len(self._refused) > self._most:
            self._refused.popitem(last=False)

    def forget(self, gpt_id: str, key_ids: tuple[str, ...]) -> None:
        """Forget these keys of a tenant, or all where none is named, and what is being read."""
        for reading in self._readings:
            reading.outdated |= not key_ids or reading.key_id in key_ids
        for key_id in key_ids or self._of(gpt_id):
            sent = self._hashes.pop(key_id, None)
            if sent is not None:
                del self._known[sent]
        self._refused.clear()
        for told in self._followers:
            told(gpt_id, key_ids)

    def follow(self, told: Changed) -> None:
        """Have someone told, from now on, of what is forgotten for news, right after it is."""
        self._followers.append(told)

    def doubt(self, now: float) -> None:
        """Vouch for nothing that was read up to now: news may have gone by."""
        self._sure_since = now

    def hear(self, at: float) -> None:
        """Take note that all news that were published before `at` have been taken."""
        self._heard_at = at

    def lose(self) -> None:
        """Take note that no news come in any more."""
        self._heard_at = _NEVER

    def hears(self, now: float) -> bool:
        """Returns: whether news come in."""
        return now - self._heard_at < CURRENT_S

    def _of(self, gpt_id: str) -> list[str]:
        return [
            one.principal.key_id for one in self._known.values() if one.principal.gpt_id == gpt_id
        ]
