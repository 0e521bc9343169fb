"""Maps a model's token probabilities onto the values of its JSON answer.

Pure. Under a grammar the probabilities are those before masking, so only the tokens of a value
speak for it; those of braces and names tell how much the model liked the shape.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from schemas.fields import Unavailable

LeafPath = tuple[str | int, ...]
"""The way to a value in an answer: `("total",)`, `("skills", 2)`, `("lines", 0, "amount")`."""

MOST_DEPTH = 16
"""How deep an answer may nest; a type's answers nest three deep."""

_STRING = re.compile(r'"(?P<inner>[^"\\]*(?:\\.[^"\\]*)*)"', re.DOTALL)
_LITERAL = re.compile(r"[^\s,\[\]{}:\"]+")
_SPACE = re.compile(r"[\s,:]*")


class Leaf(NamedTuple):
    """A value's range of characters in the content, without the quotes of a string."""

    start: int
    end: int


def leaves(content: str) -> dict[LeafPath, Leaf]:
    """Where each value of a JSON text stands.

    Tolerant: text around the JSON value, missing commas and an end that is cut off yield what could
    be read until there. Linear in the text.

    Returns: the range of every string, number, true, false and null by its path.
    """
    found: dict[LeafPath, Leaf] = {}
    starts = [at for at in (content.find("{"), content.find("[")) if at >= 0]
    if starts:
        _read(content, min(starts), (), found)
    return found


def _read(content: str, at: int, path: LeafPath, found: dict[LeafPath, Leaf]) -> int:
    """Reads the value at `at`; returns the offset behind it, the text's end where it is cut off."""
    if at >= len(content) or len(path) > MOST_DEPTH:
        return len(content)
    match content[at]:
        case "{":
            return _read_object(content, at + 1, path, found)
        case "[":
            return _read_array(content, at + 1, path, found)
        case '"':
            string = _STRING.match(content, at)
            found[path] = Leaf(*string.span("inner")) if string else Leaf(at + 1, len(content))
            return string.end() if string else len(content)
        case _:
            literal = _LITERAL.match(content, at)
            if literal is None:
                return len(content)
            found[path] = Leaf(*literal.span())
            return literal.end()


def _read_object(content: str, at: int, path: LeafPath, found: dict[LeafPath, Leaf]) -> int:
    while (at := _skip(content, at)) < len(content) and content[at] != "}":
        name = _STRING.match(content, at)
        if name is None:
            return len(content)
        at = _read(content, _skip(content, name.end()), (*path, _unescape(name["inner"])), found)
    return at + 1


def _read_array(content: str, at: int, path: LeafPath, found: dict[LeafPath, Leaf]) -> int:
    index = 0
    while (at := _skip(content, at)) < len(content) and content[at] != "]":
        at = _read(content, at, (*path, index), found)
        index += 1
    return at + 1


def _skip(content: str, at: int) -> int:
    space = _SPACE.match(content, at)
    return space.end() if space else at


def _unescape(inner: str) -> str:
    """A name without its escapes, or as it is where they are broken."""
    try:
        name: str = json.loads(f'"{inner}"', strict=False)
    except ValueError:
        return inner
    return name


def scores(
    content: str, logprobs: Sequence[Mapping[str, Any]] | None
) -> dict[LeafPath, float | Unavailable]:
    """How sure the model was of each value: exp of the mean log probability of its tokens, 0..1.

    Args:
        content: the model's answer.
        logprobs: Ollama's `logprobs`: one `{"token", "logprob", "bytes"}` for each token.

    Returns: a score for every value of the content; `unavailable` where there are no log
        probabilities, where they do not belong to the content, and for an empty text.
    """
    spans = leaves(content)
    tokens = _place(content, logprobs or ())
    if not tokens:
        return dict.fromkeys(spans, "unavailable")
    return _score(content, spans, tokens)


def _place(content: str, logprobs: Sequence[Mapping[str, Any]]) -> list[tuple[int, int, float]]:
    """Byte ranges of the tokens in the content with their log probabilities; [] if they differ.

    Bytes, because a token may hold a part of a character only.
    """
    pieces: list[tuple[bytes, float]] = []
    for item in logprobs:
        token, logprob = item.get("token"), item.get("logprob")
        if not isinstance(token, str) or not isinstance(logprob, int | float):
            return []
        pieces.append((_bytes(token, item.get("bytes")), float(logprob)))
    written = b"".join(piece for piece, _ in pieces)
    at = -written.find(content.encode("utf-8", "surrogatepass"))
    if at > 0:
        return []
    placed = []
    for piece, logprob in pieces:
        placed.append((at, at + len(piece), logprob))
        at += len(piece)
    return placed


def _bytes(token: str, raw: object) -> bytes:
    if isinstance(raw, list) and all(isinstance(one, int) and 0 <= one < 256 for one in raw):  # noqa: PLR2004 - a byte
        return bytes(raw)
    return token.encode("utf-8", "surrogatepass")


def _score(
    content: str, spans: Mapping[LeafPath, Leaf], tokens: Sequence[tuple[int, int, float]]
) -> dict[LeafPath, float | Unavailable]:
    """Walks tokens and values side by side; both are in the order of the content."""
    found: dict[LeafPath, float | Unavailable] = {}
    first, character, byte = 0, 0, 0
    for path, leaf in sorted(spans.items(), key=lambda item: item[1]):
        start = byte + len(content[character : leaf.start].encode("utf-8", "surrogatepass"))
        end = start + len(content[leaf.start : leaf.end].encode("utf-8", "surrogatepass"))
        character, byte = leaf.end, end
        while first < len(tokens) and tokens[first][1] <= start:
            first += 1
        logprobs: list[float] = []
        at = first
        while at < len(tokens) and tokens[at][0] < end:
            if math.isfinite(tokens[at][2]):
                logprobs.append(min(0.0, tokens[at][2]))
            at += 1
        mean = sum(logprobs) / len(logprobs) if logprobs and end > start else None
        found[path] = "unavailable" if mean is None else math.exp(mean)
    return found
