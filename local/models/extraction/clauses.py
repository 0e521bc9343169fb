"""What sentences of a contract say: who agrees with whom, and under which law. Pure."""

import re

from local.models.extraction.fields import Field
from local.models.extraction.sheet import Sheet

_FIRST = frozenset(("between", "zwischen", "entre"))
_SECOND = frozenset(("and", "und", "et"))
_HEAD_LINES = 40
_NAME = r"[«\"(]?(?P<{}>[^\W\d_][^,;:(\n]{{2,80}}?)\s*"
_STOPS = r"(?=[,;(\n]|\s+(?:als|hereinafter|ci-après|residing|whose|with its|\u2013)\s)"
_BETWEEN = re.compile(
    r"(?:\bbetween|\bzwischen|\bentre)(?:\s+les\s+soussignés)?[\s:]*(?:\(?[1a]\)\s*)?"
    + _NAME.format("first")
    + _STOPS
    + r".{0,300}?(?:^|\s)(?:and|und|et)[\s,:]+(?:\(?[2b]\)\s*)?(?=[«\"(]?[A-ZÀ-Ý])"
    + _NAME.format("second")
    + _STOPS,
    re.IGNORECASE | re.DOTALL,
)
_SCORE = 0.85
_LAW = re.compile(
    r"\b[A-ZÄÖÜa-zäöü]+(?:isches|sches) Recht\b|\bdroit (?!applicable)[a-zéèç]{4,20}\b|"
    r"(?<=laws of )(?:the )?[A-Z][\w ]{2,60}?(?=[.,;]|$| and (?:the|any))|"
    r"(?<=law of )(?:the )?[A-Z]\w+(?: [A-Z]\w+)*"
)


def read_contracting(sheet: Sheet, wanted: Field) -> tuple[str, float, int] | None:
    """The first or the second name of a sentence `between .. and ..`, its score and line.

    For fields that carry those words as labels; the name ends at a comma, a bracket or a line.
    """
    first, second = (not s.isdisjoint(wanted.labels) for s in (_FIRST, _SECOND))
    if not (first or second):
        return None
    lines = sheet.lines[:_HEAD_LINES]
    match = _BETWEEN.search("\n".join(line.text.strip() for line in lines))
    if match is None:
        return None
    name = " ".join(match["first" if first else "second"].split())
    number = next((line.number for line in lines if name in line.words), -1)
    return name, _SCORE, number


def read_law(sheet: Sheet) -> tuple[str, float, int] | None:
    """The law that a contract names: `laws of X`, `deutsches Recht`, `droit français`."""
    for line in sheet.lines:
        following = next(sheet.after(line, 1), None)
        text = line.words + (f" {following.words}" if following and not following.gap else "")
        for match in _LAW.finditer(text):
            if match.start() <= len(line.words) + 1:
                value = re.sub(r"^the ", "", match[0])
                return value, 0.75, line.number
    return None
