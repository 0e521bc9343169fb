"""Turns what a model answered about a document into fields with places, evidence and confidence."""

from streams.extraction.answer import Extracted, assemble
from streams.extraction.reading import AnswerMismatch, Reading, read_answer
from streams.extraction.windows import Window, estimate_tokens, halve, split

__all__ = [
    "AnswerMismatch",
    "Extracted",
    "Reading",
    "Window",
    "assemble",
    "estimate_tokens",
    "halve",
    "read_answer",
    "split",
]
