"""Text fields: labelled values, titles, headlines, subjects, and what a sentence says. Pure."""

import re

from local.models.extraction import places
from local.models.extraction.clauses import read_law
from local.models.extraction.fields import Field
from local.models.extraction.reading import Document, Reading, worded
from local.models.extraction.sheet import Line

_SALUTATION = re.compile(
    r"\s*(?:Dear|Hello|Hi|Sehr geehrte|Liebe|Guten Tag|Madame|Monsieur|Cher|Chère|Bonjour)\b"
)
_TITLE_LINES, _HEADLINE_LINES = 8, 4
_LONGEST_TITLE, _LONGEST_SUBJECT = 110, 80
_SURE = 0.5
_LABEL = 0.8


def read_text(document: Document, wanted: Field) -> Reading | None:
    """The text of a field: what its label introduces, or by what kind of text its name asks for."""
    if wanted.named("law"):
        found = read_law(document.sheet)
        if found:
            return Reading(*found)
    if wanted.named("title"):
        return _title(document)
    readings = worded(document, wanted)
    if readings and readings[0].score > _SURE:
        return readings[0]
    if wanted.named("headline"):
        return _headline(document)
    if wanted.named("subject"):
        return _subject(document)
    return readings[0] if readings else None


def _title(document: Document) -> Reading | None:
    """The first line with a word of titles among the first, else the first line that is no name."""
    lines = [
        line for line in document.sheet.lines[:_TITLE_LINES] if len(line.text) < _LONGEST_TITLE
    ]
    free = [line for line in lines if not _introduces(document, line)] or lines
    for line in free:
        if places.title_word(line.words) and not places.legal_form(line.words):
            return Reading(line.words, 0.7, line.number)
    for line in free:
        if not any(p(line.words) for p in (places.legal_form, places.trade_word, places.stops)):
            return Reading(line.words, 0.45, line.number)
    return None


def _introduces(document: Document, line: Line) -> bool:
    """Whether a line begins with a label of a field that is no title."""
    titles = {f.name for f in document.fields if f.named("title")}
    return any(
        hit.certainty > _LABEL and hit.start <= line.cells[0].start + 1
        for name, hits in document.hits.items()
        if name not in titles
        for hit in hits
        if hit.line is line
    )


def _headline(document: Document) -> Reading | None:
    """The line under the first one, if it is words alone."""
    for line in document.sheet.lines[1:_HEADLINE_LINES]:
        text = line.words
        if len(line.cells) > 1 or line.number in document.labelled_lines:
            return None
        if not any(c.isdigit() or c in "@:" for c in text):
            return Reading(text, 0.55, line.number)
    return None


def _subject(document: Document) -> Reading | None:
    """The short line under or above the salutation that ends like no sentence."""
    for line in document.sheet.lines:
        if not _SALUTATION.match(line.text):
            continue
        after = document.sheet.lines[line.number + 1 : line.number + 2]
        before = document.sheet.lines[max(0, line.number - 1) : line.number]
        for near in (*after, *before):
            text = near.words
            if len(text) < _LONGEST_SUBJECT and text[-1:].isalnum() and text[:1].isupper():
                return Reading(text, 0.5, near.number)
    return None
