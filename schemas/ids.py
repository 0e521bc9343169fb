"""Signed ids: a typed prefix, a UUID and a MAC over both and the tenant.

Any process that knows the secret can tell an id that was handed out from one that was made up,
without having stored anything. Minted ids are UUIDv7 (RFC 9562, section 5.7), so that they sort by
time; derived ids are UUIDv8 (section 5.8), so that the same parents always give the same child.
"""

import base64
import hashlib
import hmac
import re
import secrets
import time
import uuid
from datetime import UTC, datetime
from typing import Final

_MAC_CHARS: Final = 16
_MAC_BYTES: Final = 10
"""Those that give so many characters; encoding the others too took longer than making them."""
_MINTED: Final = 7
_MARK_BITS: Final = 32
"""The last bits of an id that is an end user's own: a MAC over the others and the subject."""
_FORM: Final = re.compile(r"(?P<prefix>[a-z]{2,8})_(?P<uuid>[0-9a-f]{32})_(?P<mac>[a-z2-7]{16})")

REQUEST: Final = "req"
DOCUMENT: Final = "doc"
RUN: Final = "run"
COLLECTION: Final = "col"
OBJECT: Final = "obj"
BATCH: Final = "batch"
WEBHOOK: Final = "wh"
DELIVERY: Final = "msg"


def uuid7() -> uuid.UUID:
    """Returns: a UUIDv7: 48 bits of milliseconds since 1970, then 74 random bits."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds << 80) | secrets.randbits(80)
    return _stamped(value, version=_MINTED)


def _stamped(value: int, *, version: int) -> uuid.UUID:
    value &= ~(0xF << 76)
    value |= version << 76
    value &= ~(0x3 << 62)
    value |= 0x2 << 62
    return uuid.UUID(int=value)


class Ids:
    """Mints, derives and checks ids under one secret of at least 16 characters."""

    def __init__(self, secret: str) -> None:
        if len(secret) < _MAC_CHARS:
            message = "the id secret must have at least 16 characters"
            raise ValueError(message)
        self._secret = secret.encode()

    def mint(self, prefix: str, gpt_id: str, *, subject: str | None = None) -> str:
        """Returns: a new id such as `doc_018f…_k3v…` that `verify` accepts for this tenant only.

        With a subject it is that end user's own, as `is_of` tells.
        """
        return self._signed(prefix, gpt_id, self._marked(uuid7(), subject))

    def derive(
        self, prefix: str, gpt_id: str, *parts: str | int, subject: str | None = None
    ) -> str:
        """Returns: the one id that these parts give within this tenant, the same at every call.

        With a subject it is that end user's own, as `is_of` tells.
        """
        text = "\x1f".join(("derive", prefix, gpt_id, *map(str, parts)))
        digest = hmac.new(self._secret, text.encode(), hashlib.sha256).digest()
        value = _stamped(int.from_bytes(digest[:16], "big"), version=8)
        return self._signed(prefix, gpt_id, self._marked(value, subject))

    def is_of(self, value: str, subject: str) -> bool:
        """Returns: whether an id that `verify` accepts was made for this end user."""
        match = _FORM.fullmatch(value)
        if match is None:
            return False
        made = uuid.UUID(match["uuid"])
        return made == self._marked(made, subject)

    def verify(self, value: str, prefix: str, gpt_id: str) -> bool:
        """Returns: whether this process's secret made `value` with that prefix for that tenant."""
        match = _FORM.fullmatch(value)
        if match is None or match["prefix"] != prefix:
            return False
        return hmac.compare_digest(match["mac"], self._mac(prefix, gpt_id, match["uuid"]))

    @staticmethod
    def minted_at(value: str) -> datetime | None:
        """Returns: when an id that `verify` accepts was minted; None where it was derived."""
        match = _FORM.fullmatch(value)
        made = uuid.UUID(match["uuid"]) if match else None
        if made is None or made.version != _MINTED:
            return None
        return datetime.fromtimestamp((made.int >> 80) / 1000, UTC)

    def _marked(self, value: uuid.UUID, subject: str | None) -> uuid.UUID:
        """Returns: the UUID with the end user's mark, which nobody else can make, as its end."""
        if subject is None:
            return value
        rest = value.int >> _MARK_BITS
        text = f"of\x1f{rest:x}\x1f{subject}"
        digest = hmac.digest(self._secret, text.encode(), "sha256")
        return uuid.UUID(int=rest << _MARK_BITS | int.from_bytes(digest[: _MARK_BITS // 8], "big"))

    def _signed(self, prefix: str, gpt_id: str, value: uuid.UUID) -> str:
        return f"{prefix}_{value.hex}_{self._mac(prefix, gpt_id, value.hex)}"

    def _mac(self, prefix: str, gpt_id: str, hexadecimal: str) -> str:
        text = f"id\x1f{prefix}\x1f{gpt_id}\x1f{hexadecimal}"
        digest = hmac.digest(self._secret, text.encode(), "sha256")
        return base64.b32encode(digest[:_MAC_BYTES]).decode().lower()
