"""The one form in which texts reach an embedding model, and the check that a backend agrees.

Reads and writes nothing: `REFERENCE_PATH` is for the caller to read.

Backends for the same weights do not tokenise alike. One that neither strips accents nor splits
off symbols gives `naïve café` a vector with cosine 0.13 to the right one. After `prepare` there is
nothing left on which they could differ, so vectors of several backends may share an index. Store
`PREPARATION_VERSION` beside each vector's model, and never mix versions.
"""

import json
import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PREPARATION_VERSION = 1
"""Raised whenever `prepare` gives another text for some input."""

DISAGREEMENT_LIMIT = 0.001
"""A backend whose `disagreement` is above this does not compute the same model.

Half-precision weights stay below 0.0001; the tokenising faults seen lie between 0.03 and 0.87.
"""

REFERENCE_PATH = Path(__file__).with_name("embedding_probes.json")
"""The file of the vectors that all-MiniLM-L6-v2 gives to `PROBES`, for `parse_reference`."""

_FOLDED = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′‹›´ʹʻʼ＇", "'"),  # noqa: RUF001 - these are the characters to fold
        **dict.fromkeys("“”„‟″«»＂", '"'),  # noqa: RUF001
        **dict.fromkeys("‐‑‒–—―−﹘﹣－", "-"),  # noqa: RUF001
        **dict.fromkeys("•‣·∙▪●◦⁃", "*"),  # noqa: RUF001
        "…": "...",
        "⁄": "/",  # noqa: RUF001
        "،": ",",
        "؟": "?",
        "。": ".",
        "、": ",",
    }
)
_LONGEST_WORD = 100
"""Characters; the reference tokeniser reads a longer word as one unknown token."""

_IDEOGRAPHS = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x2FA1F))


@dataclass(frozen=True, slots=True)
class Probe:
    """A text that some backend gets wrong, and a plainer twin that must prepare alike."""

    text: str
    twin: str


PROBES = (
    Probe("Müller & Söhne GmbH", "MULLER&SOHNE GMBH"),
    Probe("Łódź", "łodz"),
    Probe("naïve café", "naive cafe"),
    Probe("a+b=c", "A + B = C"),
    Probe("`code`", "` CODE `"),
    Probe("<I>", "< i >"),
    Probe("Total $12.50", "total $ 12 . 50"),
    Probe("Ünïcode—dash “quotes”", 'unicode-dash "quotes"'),
)
"""Eight texts with accents and symbols, each of which has exposed a faulty tokeniser."""


def prepare(text: str) -> str:
    """Return `text` as every embedding backend must get it; preparing it again changes nothing.

    Accents are stripped (NFD without its marks), letters lowered, typographic quotes, dashes and
    bullets folded to ASCII, symbols and ideographs set apart by spaces, other punctuation and
    control characters dropped, endless words cut, and runs of white space made one space.
    """
    folded = text.translate(_FOLDED)
    decomposed = unicodedata.normalize("NFD", folded).lower()
    # Lowering can bring marks of its own (the dotted capital I), so marks are dropped after it.
    written = "".join(map(_written, unicodedata.normalize("NFD", decomposed)))
    return " ".join(part for word in written.split() for part in _parts(word))


def parse_reference(text: str) -> list[list[float]]:
    """Return the expected vectors of `PROBES`, in order, from the text of `REFERENCE_PATH`.

    Raises:
        ValueError: the file belongs to other probes or to another preparation version.
    """
    document = json.loads(text)
    if document["preparation_version"] != PREPARATION_VERSION:
        raise ValueError("the reference vectors were made with another preparation version")
    if [probe["text"] for probe in document["probes"]] != [probe.text for probe in PROBES]:
        raise ValueError("the reference vectors belong to other probes")
    return [probe["vector"] for probe in document["probes"]]


def disagreement(vectors: Sequence[Sequence[float]], reference: Sequence[Sequence[float]]) -> float:
    """Return how far the worst vector is from its reference: one less its cosine, 0..2.

    A zero vector, a vector of another length, or another number of vectors disagrees wholly: 2.0.
    """
    if len(vectors) != len(reference) or not reference:
        return 2.0
    return max(_distance(got, wanted) for got, wanted in zip(vectors, reference, strict=True))


def _written(character: str) -> str:
    """Return what stands for one decomposed, lowered character in the prepared text."""
    if character.isspace():
        return " "
    category = unicodedata.category(character)
    if category == "Mn" or category.startswith("C"):
        return ""
    if character.isascii():
        return character if character.isalnum() else f" {character} "
    if category.startswith("P"):
        return " "
    point = ord(character)
    if any(low <= point <= high for low, high in _IDEOGRAPHS):
        return f" {character} "
    return character


def _parts(word: str) -> list[str]:
    """Return a word in parts short enough that no tokeniser gives it up as unknown."""
    starts = range(0, len(word), _LONGEST_WORD)
    return [word[start : start + _LONGEST_WORD] for start in starts]


def _distance(left: Sequence[float], right: Sequence[float]) -> float:
    """Return one less the cosine of two vectors; 2.0 where there is none."""
    norms = math.hypot(*left) * math.hypot(*right)
    if len(left) != len(right) or not norms or not math.isfinite(norms):
        return 2.0
    return 1.0 - sum(a * b for a, b in zip(left, right, strict=True)) / norms
