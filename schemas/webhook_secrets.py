"""Secrets of webhooks: made at the edge, sealed on the way and at rest, opened where they sign.

Sealed by AES-256-GCM (NIST SP 800-38D) under a key that HKDF-SHA256 (RFC 5869) derives, bound to
the endpoint, so that a secret that is moved to another one cannot be opened.
"""

import base64
import hashlib
import secrets
from collections.abc import Sequence
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from schemas.settings import WebhookSettings

PREFIX: Final = "whsec_"
_SECRET_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_KEY_BYTES: Final = 32


class Unreadable(Exception):
    """A sealed secret that none of the keys opens."""


class Seal:
    """Seals secrets under the first of these keys, and opens what any of them sealed."""

    def __init__(self, *keys: str) -> None:
        self._ciphers = [AESGCM(_derived(key)) for key in keys]

    @classmethod
    def of(cls, settings: WebhookSettings, id_secret: SecretStr) -> Self:
        """Returns: a seal under the webhook key; the id secret stands in where there is none."""
        given = (settings.webhook_key, settings.previous_webhook_key, id_secret)
        return cls(*(key.get_secret_value() for key in given if key is not None))

    def seal(self, webhook_id: str, secret: bytes) -> bytes:
        """Returns: the secret as only this endpoint's deliveries can open it."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._ciphers[0].encrypt(nonce, secret, webhook_id.encode())

    def open(self, webhook_id: str, sealed: Sequence[bytes]) -> tuple[bytes, ...]:
        """Returns: the secrets, in their order. Raises: Unreadable: no key opens one of them."""
        return tuple(self._opened(webhook_id, each) for each in sealed)

    def _opened(self, webhook_id: str, sealed: bytes) -> bytes:
        nonce, text = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(nonce, text, webhook_id.encode())
            except (InvalidTag, ValueError):
                continue
        raise Unreadable


def mint() -> bytes:
    """Returns: a new secret of 256 random bits."""
    return secrets.token_bytes(_SECRET_BYTES)


def text(secret: bytes) -> str:
    """Returns: a secret as people copy it, `whsec_` and base64."""
    return PREFIX + base64.b64encode(secret).decode()


def digest(sealed: bytes) -> str:
    """Returns: what tells one sealed secret from another, and nothing of what is in it."""
    return hashlib.sha256(sealed).hexdigest()[:32]


def _derived(key: str) -> bytes:
    hkdf = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=b"actionstream webhooks")
    return hkdf.derive(key.encode())
