"""Keys of the object store that a tenant may name: those beneath its own prefix."""

from typing import Final

from schemas.batches import Archive, Many, Prefix
from streams.errors import Refused

_KEPT: Final = ("documents", "batches")
"""Beneath a tenant's prefix, what the product itself stores."""


def check(key: str, gpt_id: str) -> None:
    """Raises: Refused: the key is not beneath the tenant's prefix."""
    if not key.startswith(f"{gpt_id}/") or ".." in key.split("/"):
        detail = f"S3 keys and prefixes must begin with `{gpt_id}/`."
        raise Refused("foreign_key", detail, 422)


def check_source(many: Many, gpt_id: str, subject: str | None) -> None:
    """Raises: Refused: the source is not the tenant's, or not this end user's."""
    if many.manifest_key is not None:
        check(many.manifest_key, gpt_id)
    match many.source:
        case Archive(key=key):
            check(key, gpt_id)
        case Prefix(prefix=prefix):
            check(prefix, gpt_id)
            _check_apart(prefix, gpt_id)
            if subject is not None:
                detail = "What lies under a prefix may be other people's; send the files."
                raise Refused("forbidden", detail, 403)


def _check_apart(prefix: str, gpt_id: str) -> None:
    for own in _KEPT:
        kept = f"{gpt_id}/{own}/"
        if kept.startswith(prefix) or prefix.startswith(kept):
            detail = f"Under `{kept}` lies what is stored already; name another prefix."
            raise Refused("foreign_key", detail, 422)
