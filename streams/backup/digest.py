"""Size and SHA-256 of what streams by."""

import hashlib
from collections.abc import AsyncIterator


class Digest:
    """Counts and hashes bytes on their way."""

    def __init__(self) -> None:
        self.size_bytes = 0
        self._hash = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """Returns: of all that has passed, in hexadecimal."""
        return self._hash.hexdigest()

    async def of(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yield the same chunks."""
        async for chunk in chunks:
            self.size_bytes += len(chunk)
            self._hash.update(chunk)
            yield chunk
