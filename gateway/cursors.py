"""Opaque, signed cursors: a client can neither read anything into them nor make one up."""

import base64
import hmac
import json
from typing import Any, Final

from gateway.errors import Malformed

_MAC_BYTES: Final = 12
MAX_CHARS: Final = 1024


class Cursors:
    """Seals positions in lists. A cursor is bound to its list: the call, the tenant, the query."""

    def __init__(self, secret: str) -> None:
        self._key = hmac.digest(secret.encode(), b"cursor", "sha256")

    def seal(self, position: list[Any], *bound: str) -> str:
        """Returns: the cursor of a JSON position within the list that `bound` tells apart."""
        text = json.dumps(position, separators=(",", ":")).encode()
        return _written(self._mac(text, bound) + text)

    def open(self, cursor: str, *bound: str) -> list[Any]:
        """Returns: the position that `seal` was given.

        Raises:
            Malformed: not a cursor of this list.
        """
        try:
            data = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        except ValueError:
            data = b""
        # The decoder passes over what is no Base64, and over bits that are none of the last byte.
        if _written(data) != cursor:
            data = b""
        mac, text = data[:_MAC_BYTES], data[_MAC_BYTES:]
        if not text or not hmac.compare_digest(mac, self._mac(text, bound)):
            raise Malformed(
                "the cursor does not belong to this list; repeat the query that gave it, "
                "or start again without a cursor"
            )
        position: list[Any] = json.loads(text)
        return position

    def _mac(self, text: bytes, bound: tuple[str, ...]) -> bytes:
        # As JSON no text of a client's can look like the end of another, or like a position.
        whole = json.dumps(bound).encode() + b"\x1e" + text
        return hmac.digest(self._key, whole, "sha256")[:_MAC_BYTES]


def _written(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
