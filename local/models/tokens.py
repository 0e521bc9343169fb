"""What this server counts and streams as tokens: short pieces that, joined, are the text again."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

_TOKEN = re.compile(r" ?\w{1,6}|\s+|[^\w\s]")
"""A blank and up to six letters or digits, a run of blanks, or one symbol: close to what the
tokenisers of language models make of print, so that budgets counted in tokens mean the same."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of an answer whose tokens share one log probability.

    A fixed piece is structure that the schema demands: one token, of log probability 0.0.
    """

    text: str
    logprob: float = 0.0
    fixed: bool = False


def split(text: str) -> list[str]:
    """Return the tokens of `text`; joined they are `text`."""
    return _TOKEN.findall(text)


def count(text: str) -> int:
    """Return the number of tokens of `text`."""
    return sum(1 for _ in _TOKEN.finditer(text))


def tokenise(pieces: Iterable[Piece]) -> list[Piece]:
    """Return one piece a token, with the log probability of its piece; fixed neighbours are one.

    Structure that costs few tokens leaves a caller's limit to the content.
    """
    tokens: list[Piece] = []
    for piece in pieces:
        if not piece.fixed:
            tokens += [Piece(token, piece.logprob) for token in split(piece.text)]
        elif tokens and tokens[-1].fixed:
            tokens[-1] = replace(piece, text=tokens[-1].text + piece.text)
        else:
            tokens.append(piece)
    return tokens


def cut(text: str, limit: int) -> str:
    """Return the longest beginning of `text` that has at most `limit` tokens."""
    for number, match in enumerate(_TOKEN.finditer(text)):
        if number >= limit:
            return text[: match.start()]
    return text
