"""Summaries and answers made of sentences of the given text, and of nothing else."""

import re
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from local.models import sentences

Embed = Callable[[Sequence[str]], NDArray[np.float32]]
"""Texts to unit vectors, one row each, in order."""

NOTHING = (
    "I am a local model without a language model behind me: I can only quote text that I am given, "
    "and nothing in it answers this."
)
"""The one sentence that this model says of its own."""

MAX_SENTENCES = 160
"""Sentences looked at, in about a second; of a longer text they are taken at even distances."""

_SUMMARY_WORDS = 90
_ANSWER_SENTENCES = 3
_RELEVANT = 0.38
"""Cosine to the question below which a sentence does not answer it."""
_NEAR_BEST = 0.82
_DIVERSITY = 0.35
_WORD = re.compile(r"\w{3,}")
_MIN_WORDS = 4
_ENDED = re.compile(r"[.!?…][\"')»”]*$")
_FEWEST_WHOLE = 3


def summarise(text: str, embed: Embed) -> str:
    """Return the sentences that stand for most of `text`, in their order, about 90 words.

    Chosen by closeness to the mean of all sentences, each less its likeness to those already chosen
    (maximal marginal relevance), the opening weighing a little more. "" for an empty text.
    """
    candidates = _thinned(list(dict.fromkeys(sentences.split(text))))
    candidates = _prose(candidates)
    if not candidates:
        return ""
    vectors = embed(candidates)
    centre = vectors.mean(axis=0)
    places = np.linspace(1.0, 0.0, len(candidates), dtype=np.float32)
    scores = vectors @ centre / max(float(np.linalg.norm(centre)), 1e-9) + 0.1 * places
    chosen: list[int] = []
    words = 0
    for index in _diverse(scores, vectors, len(candidates)):
        length = len(candidates[index].split())
        if chosen and words + length > _SUMMARY_WORDS:
            break
        chosen.append(index)
        words += length
    return _joined([candidates[index] for index in sorted(chosen)])


def answer(question: str, texts: Sequence[str], embed: Embed) -> str:
    """Return up to three sentences of `texts` that bear on `question`, or `NOTHING`.

    A sentence bears on it by its meaning and by the words that both share; the ones kept
    are close to the best, and stand in the order of the text.
    """
    candidates = _thinned(
        [sentence for text in texts for sentence in sentences.split(text) if sentence != question]
    )
    candidates = list(dict.fromkeys(candidates))
    if not candidates or not question.strip():
        return NOTHING
    vectors = embed([question, *candidates])
    scores = vectors[1:] @ vectors[0] + 0.25 * _shared_words(question, candidates)
    best = float(scores.max())
    if best < _RELEVANT:
        return NOTHING
    floor = max(_RELEVANT, _NEAR_BEST * best)
    ranked = _diverse(scores, vectors[1:], _ANSWER_SENTENCES)
    kept = sorted(index for index in ranked if scores[index] >= floor)
    return _joined([candidates[index] for index in kept])


def _prose(items: list[str]) -> list[str]:
    """Return the items that are whole sentences; all where there are few, as in a table."""
    long = [item for item in items if len(_WORD.findall(item)) >= _MIN_WORDS]
    whole = [item for item in long if _ENDED.search(item)]
    return whole if len(whole) >= _FEWEST_WHOLE else long or items


def _joined(parts: Sequence[str]) -> str:
    """Return sentences as a paragraph, and a row or heading on a line of its own."""
    spaced = [f"{part} " if _ENDED.search(part) else f"{part}\n" for part in parts]
    return "".join(spaced).rstrip()


def _thinned(items: list[str]) -> list[str]:
    """Return at most `MAX_SENTENCES` of the items, at even distances."""
    if len(items) <= MAX_SENTENCES:
        return items
    return [items[int(index)] for index in np.linspace(0, len(items) - 1, MAX_SENTENCES)]


def _diverse(scores: NDArray[np.float32], vectors: NDArray[np.float32], most: int) -> list[int]:
    """Return up to `most` indexes, best first, each as unlike the ones before as it is good."""
    left, chosen = list(range(len(scores))), list[int]()
    likeness = np.zeros(len(scores), dtype=np.float32)
    while left and len(chosen) < most:
        best = max(left, key=lambda index: scores[index] - _DIVERSITY * likeness[index])
        chosen.append(best)
        left.remove(best)
        likeness = np.maximum(likeness, vectors @ vectors[best])
    return chosen


def _shared_words(question: str, candidates: Sequence[str]) -> NDArray[np.float32]:
    """Return for each candidate the share of the question's rarer words that it has."""
    asked = set(_WORD.findall(question.lower()))
    held = [set(_WORD.findall(candidate.lower())) for candidate in candidates]
    rarity = {word: 1.0 / (1.0 + sum(word in words for words in held)) for word in asked}
    whole = sum(rarity.values()) or 1.0
    shares = [sum(rarity[word] for word in asked & words) / whole for words in held]
    return np.array(shares, dtype=np.float32)
