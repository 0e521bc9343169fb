"""Rules that read the fields of a JSON Schema out of a document's text, without any model."""

from local.models.extraction.engine import Extraction, extract

__all__ = ["Extraction", "extract"]
