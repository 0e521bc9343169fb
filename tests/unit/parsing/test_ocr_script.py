"""Which reading of a line is believed, given its page."""

from streams.parsing.ocr.recognition import BothReadings, Reading
from streams.parsing.ocr.script import believed

PROSE = "All goods sold are not returnable after seven days"


def read(text: str, *sureness: float) -> Reading:
    """Return `text` with the confidences given, the last one for all further characters."""
    known = sureness[: len(text)]
    confidences = known + (known[-1],) * (len(text) - len(known))
    return Reading(text, tuple(number / len(text) for number in range(len(text))), confidences)


def same(text: str, *sureness: float) -> BothReadings:
    """Return a line on which both readings agree."""
    return BothReadings(read(text, *sureness), read(text, *sureness))


def texts(*lines: BothReadings) -> list[str]:
    """Return the believed texts."""
    return [reading.text for reading in believed(lines)]


def test_stray_characters_become_latin() -> None:
    """On a Latin page a doubtful Chinese reading gives way, and so does wide punctuation."""
    stray = BothReadings(read("台计12", 0.6), read("Ai12", 0.4))
    colon = BothReadings(read("\N{FULLWIDTH COLON}0122", 0.99), read(":0122", 0.97))
    assert texts(same(PROSE, 0.99), stray, colon) == [PROSE, "Ai12", ":0122"]


def test_sure_characters_stay() -> None:
    """On a Latin page a line that is surely in Chinese stays as it is."""
    name = BothReadings(read("祥发号", 0.97), read("H", 0.2))
    assert texts(same(PROSE, 0.99), name) == [PROSE, "祥发号"]


def test_page_in_another_script() -> None:
    """On a page in Chinese nothing is forced into Latin letters."""
    line = BothReadings(read("收据 No", 0.7), read("W No", 0.3))
    assert texts(line) == ["收据 No"]


def test_doubtful_accents_go() -> None:
    """A page without one sure accent has none."""
    assert texts(same(PROSE, 0.99), same("ÁLAM", 0.83)) == [PROSE, "ALAM"]


def test_sure_accents_stay() -> None:
    """One sure accent shows that the page's language has them, so doubtful ones stay too."""
    assert texts(same("À payer", 1.0), same("échéance", 0.8)) == ["À payer", "échéance"]


def test_letters_without_parts_stay() -> None:
    """Signs that are no accented letters are left alone."""
    assert texts(same("Straße 5 \N{DEGREE SIGN} ½", 0.8)) == ["Straße 5 \N{DEGREE SIGN} ½"]


def test_no_lines() -> None:
    """A page without lines has no readings."""
    assert texts() == []
