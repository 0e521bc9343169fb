"""Versions of index entries."""

from typing import Final

DELETED_VERSION: Final = 2**62
"""Version of a deleted document's tombstones in the index: above any that it can have had."""
