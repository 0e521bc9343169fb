"""API keys: their form, their checksum, and the hash that is kept of them.

A key is `as_<env>_<key id>_<secret>_<checksum>`, of letters and digits: secret scanners find it by
its form, and whoever mistypes it is told so without any look-up. The secret has 256 random bits, so
one HMAC-SHA256 under a pepper guards it; a slow hash is for what people think up.
"""

import hashlib
import hmac
import re
import secrets
import zlib
from dataclasses import dataclass
from typing import Final

_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID_CHARS: Final = 16
_SECRET_CHARS: Final = 43
_CHECKSUM_CHARS: Final = 6
_FORM: Final = re.compile(
    rf"^as_(?P<env>[a-z]{{2,10}})_(?P<key_id>[0-9A-Za-z]{{{_ID_CHARS}}})"
    rf"_(?P<secret>[0-9A-Za-z]{{{_SECRET_CHARS}}})_(?P<checksum>[0-9A-Za-z]{{{_CHECKSUM_CHARS}}})$",
    re.ASCII,
)


class NotAKey(ValueError):
    """A text that cannot be a key: it has another form, or its checksum is wrong."""


@dataclass(frozen=True, slots=True)
class Key:
    """A whole key; only who holds it has `secret`. `env` is a label and opens nothing."""

    env: str
    key_id: str
    secret: str

    def __str__(self) -> str:
        """The text that a client sends."""
        body = f"as_{self.env}_{self.key_id}_{self.secret}"
        return f"{body}_{_checksum(body)}"

    def __repr__(self) -> str:
        """Without the secret, so that no log shows it."""
        return f"Key({self.env}, {self.key_id})"

    def hashed(self, pepper: str) -> bytes:
        """Returns: the 32 bytes that are kept of it: HMAC-SHA256 of id and secret."""
        return hmac.digest(pepper.encode(), f"{self.key_id}_{self.secret}".encode(), hashlib.sha256)

    def is_hashed_as(self, kept: bytes, *peppers: str) -> bool:
        """Returns: whether one of the peppers gives the kept hash, in the same time always."""
        found = [hmac.compare_digest(self.hashed(pepper), kept) for pepper in peppers]
        return any(found)


def mint(env: str) -> Key:
    """Returns: a new key. Its id has 95 random bits and its secret 256."""
    return Key(env, _random(_ID_CHARS), _random(_SECRET_CHARS))


def parse(text: str) -> Key:
    """Returns: the key that a text is. Raises: NotAKey: it is none, by form or checksum."""
    found = _FORM.match(text)
    if found is None:
        raise NotAKey("a key looks like as_<env>_<key id>_<secret>_<checksum>")
    body, _, checksum = text.rpartition("_")
    if not hmac.compare_digest(checksum, _checksum(body)):
        raise NotAKey("the key's checksum is wrong, so it was mistyped or cut off")
    return Key(found["env"], found["key_id"], found["secret"])


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _checksum(body: str) -> str:
    """Returns: the CRC-32 of the rest in base 62, six characters."""
    value, made = zlib.crc32(body.encode()), ""
    for _ in range(_CHECKSUM_CHARS):
        value, rest = divmod(value, 62)
        made = _ALPHABET[rest] + made
    return made
