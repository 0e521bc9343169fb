"""One check of the doctor: what was looked at, what was found, and what to do."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

from confluent_kafka import KafkaException

from cli.errors import Failure
from cli.kafka import reason
from streams.errors import Unavailable

LIMIT_S: Final = 40.0
"""Hard limit of one check; the longest waits 30 s for an answer through the whole system."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of a check; `remedy` is empty where `detail` says all."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""

    def to_json(self) -> dict[str, Any]:
        """Returns: the finding for machines."""
        return asdict(self)


class Wrong(Exception):
    """Something is wrong; says what, and what to do where it is not the check's usual remedy."""

    def __init__(self, detail: str, remedy: str | None = None) -> None:
        super().__init__(detail)
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to look at.

    `look` returns what it found where all is well, and raises otherwise. `remedy` is what to do
    where it raises anything but `Wrong`, which mostly means that a server does not answer.
    """

    name: str
    look: Callable[[], Awaitable[str]]
    remedy: str

    async def examine(self) -> Finding:
        """Returns: what was found; never raises, because one fault must not hide another."""
        try:
            async with asyncio.timeout(LIMIT_S):
                return Finding(self.name, ok=True, detail=await self.look())
        except Wrong as wrong:
            remedy = wrong.remedy or self.remedy
            return Finding(self.name, ok=False, detail=str(wrong), remedy=remedy)
        except Failure as failure:
            return Finding(self.name, ok=False, detail=str(failure))
        except TimeoutError:
            detail = f"no answer within {LIMIT_S:g} s"
            return Finding(self.name, ok=False, detail=detail, remedy=self.remedy)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is wrong
            return Finding(self.name, ok=False, detail=_sentence(error), remedy=self.remedy)


def _sentence(error: Exception) -> str:
    """Returns: the first line of an error, shortened, or its name."""
    if isinstance(error, KafkaException):
        return reason(error)
    if isinstance(error, Unavailable):
        return error.detail
    lines = str(getattr(error, "orig", None) or error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__
