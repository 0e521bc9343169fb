"""Signatures of deliveries.

Source: Standard Webhooks 1.0, https://github.com/standard-webhooks/standard-webhooks
"""

import base64
import hmac
from collections.abc import Sequence


def headers(
    delivery_id: str, timestamp: int, body: bytes, secrets: Sequence[bytes]
) -> dict[str, str]:
    """Returns: the headers of a delivery; its signature has one part for each secret.

    `timestamp` is that of this attempt, in seconds since 1970. Receivers refuse old ones.
    """
    signed = f"{delivery_id}.{timestamp}.".encode() + body
    signatures = (hmac.digest(secret, signed, "sha256") for secret in secrets)
    return {
        "webhook-id": delivery_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(
            f"v1,{base64.b64encode(signature).decode()}" for signature in signatures
        ),
    }
