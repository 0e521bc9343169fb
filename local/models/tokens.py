"""What this server counts and streams as tokens: short pieces that, joined, are the text again."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_TOKEN = re.compile(r" ?\w{1,6}|\s+|[^\w\s]")
"""A blank and up to six letters or digits, a run of blanks, or one symbol: close to what the
tokenisers of language models make of print, so that budgets counted in tokens mean the same."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of an answer whose tokens share one log probability; 0.0 for its structure."""

    text: str
    logprob: float = 0.0


def split(text: str) -> list[str]:
    """Return the tokens of `text`; joined they are `text`."""
    return _TOKEN.findall(text)


def count(text: str) -> int:
    """Return the number of tokens of `text`."""
    return sum(1 for _ in _TOKEN.finditer(text))


def tokenise(pieces: Iterable[Piece]) -> list[Piece]:
    """Return one piece a token, each with the log probability of the piece it is from."""
    return [Piece(token, piece.logprob) for piece in pieces for token in split(piece.text)]


def cut(text: str, limit: int) -> str:
    """Return the longest beginning of `text` that has at most `limit` tokens."""
    for number, match in enumerate(_TOKEN.finditer(text)):
        if number >= limit:
            return text[: match.start()]
    return text
