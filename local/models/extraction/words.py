"""Lists of words as patterns that find them in worded text (see `sheet.worded`). Pure."""

import re

from local.models.extraction.sheet import blur, fold

_SHORT = 4


def listed(words: str) -> list[str]:
    """The comma-separated words of a list, folded and blurred, longest first, each once."""
    keys = {blur(fold(word)) for word in words.split(",")}
    return sorted(keys - {""}, key=lambda key: (-len(key), key))


def any_of(words: str) -> re.Pattern[str]:
    """A pattern that finds any word of a comma-separated list in worded text.

    Spaces within a listed word may be missing. Words of up to four letters and words marked with
    `!` must stand alone, because they are parts of others (`ust` of `illustration`).
    """
    patterns = []
    for word in words.split(","):
        parts = [blur(fold(part)) for part in re.findall(r"[^\W_]+", word)]
        pattern = " ?".join(parts)
        short = sum(map(len, parts)) <= _SHORT or word.endswith("!")
        patterns.append(rf"(?<![a-z]){pattern}(?![a-z])" if short else pattern)
    return re.compile("|".join(sorted(patterns, key=lambda p: (-len(p), p))))
