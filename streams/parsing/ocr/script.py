"""Which of the recogniser's readings of a page to believe, given the script that the page is in.

Pure functions. One line alone cannot tell a stray sign from a foreign one; the whole page can.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace

from streams.parsing.ocr.recognition import LATIN_ENDS, BothReadings, Reading

_MAINLY = 0.9
_SURE = 0.9
_FEWEST = 2
_SURE_ACCENT = 0.97


def believed(readings: Sequence[BothReadings]) -> list[Reading]:
    """Return for each line the reading that fits the page.

    On a page mainly in Latin script that is the Latin one, unless a line is surely in another
    script. A page without one sure accent has none: on 35 scans in English and Malay all letters
    read with accents were wrong, each at a confidence of at most 0.954; on a French scan none was
    below 0.99.
    """
    letters = [sign for reading in readings for sign in reading.free.text if sign.isalpha()]
    foreign = sum(not _is_latin(sign) for sign in letters)
    if foreign > len(letters) * (1 - _MAINLY):
        return [reading.free for reading in readings]
    chosen = [_of_latin_page(reading) for reading in readings]
    sure = any(sureness > _SURE_ACCENT for one in chosen for sureness in _accents(one))
    return chosen if sure else [_plain(reading) for reading in chosen]


def _of_latin_page(both: BothReadings) -> Reading:
    # A doubtful line comes out as stray Chinese characters at a confidence of 0.3 to 0.85; real
    # ones, such as a shop's Chinese name, are read at above 0.9.
    foreign = sum(sign.isalpha() and not _is_latin(sign) for sign in both.free.text)
    return both.free if foreign >= _FEWEST and both.free.confidence > _SURE else both.latin


def _is_latin(sign: str) -> bool:
    return ord(sign) < LATIN_ENDS


def _accents(reading: Reading) -> Iterator[float]:
    for sign, sureness in zip(reading.text, reading.confidences, strict=True):
        if sign != _bare(sign):
            yield sureness


def _plain(reading: Reading) -> Reading:
    return replace(reading, text="".join(_bare(sign) for sign in reading.text))


def _bare(sign: str) -> str:
    return unicodedata.normalize("NFD", sign)[0] if sign.isalpha() else sign
