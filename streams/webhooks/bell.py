"""What stages ring when something is due, so that the deliverer beside them need not look often."""

import asyncio


class Bell:
    """Rung any number of times, heard once."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Have whoever waits look again."""
        self._rung.set()

    async def heard(self, seconds: float) -> bool:
        """Wait at most so long. Returns: whether it was rung since it was last heard."""
        try:
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        except TimeoutError:
            return False
        self._rung.clear()
        return True
