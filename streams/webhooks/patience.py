"""How long deliveries wait: between their attempts, and before their endpoint is paused."""

import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Self

from streams.settings import Settings

JITTER: Final = 0.2
"""The share by which a pause is longer or shorter, so that what failed together comes apart."""

LONGEST_RETRY_AFTER_S: Final = 6 * 3600
"""An endpoint may ask for longer pauses than ours, but not for so long that events are lost."""


@dataclass(frozen=True, slots=True)
class Patience:
    """The pauses between attempts, in seconds; when order gives way; when an endpoint is paused."""

    pauses: tuple[float, ...]
    hold: int
    pause_after: timedelta

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Returns: the patience that the settings say."""
        return cls(settings.webhook_retry_s, settings.webhook_hold, settings.webhook_pause_after)

    @property
    def attempts(self) -> int:
        """Returns: the attempts at a delivery, after which it has failed."""
        return len(self.pauses) + 1

    def after(self, failures: int) -> float:
        """Returns: the seconds until the next attempt after so many failures in a row."""
        pause = self.pauses[min(failures, len(self.pauses)) - 1]
        return pause * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - spreads, hides nothing

    def held(self, failures: int, retry_after_s: float | None) -> float:
        """Returns: the seconds for which an endpoint is left alone that asks for so long."""
        return max(self.after(failures), min(retry_after_s or 0.0, LONGEST_RETRY_AFTER_S))
