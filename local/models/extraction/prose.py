"""Text fields: labelled values and titles. Pure."""

from local.models.extraction.fields import Field
from local.models.extraction.reading import Document, Reading, worded


def read_text(document: Document, wanted: Field) -> Reading | None:
    """The text of a field: what its label introduces, or for a title the first line."""
    readings = worded(document, wanted)
    if readings and readings[0].score > 0.5:
        return readings[0]
    if wanted.named("title") and document.sheet.lines:
        first = document.sheet.lines[0]
        return Reading(first.words, 0.6, first.number)
    return readings[0] if readings else None
