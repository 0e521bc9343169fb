"""Why a document could not be parsed; every error can be pickled, to cross a process boundary.

Unparsable              the document's own fault: never retried
  UnsupportedType       its type is not one that is read
ParserCrashed           the child process died, hung or ran out of memory: the caller decides
ParserFailed            an error that nobody foresaw: a bug, with the child's traceback as a note
"""

from enum import StrEnum


class Code(StrEnum):
    """Stable names of the reasons why a document cannot be parsed, for problem documents."""

    EMPTY_FILE = "empty_file"
    ENCRYPTED = "encrypted"
    CORRUPT = "corrupt"
    ZERO_PAGES = "zero_pages"
    TOO_MANY_PAGES = "too_many_pages"
    UNSUPPORTED_TYPE = "unsupported_type"
    IMAGE_TOO_LARGE = "image_too_large"
    IMAGE_TOO_SMALL = "image_too_small"
    ARCHIVE_BOMB = "archive_bomb"
    UNSUPPORTED_COMPRESSION = "unsupported_compression"
    TEXT_TOO_LONG = "text_too_long"
    TOO_MANY_ATTACHMENTS = "too_many_attachments"
    NO_OCR = "no_ocr"


class Unparsable(Exception):
    """A document that no retry will make readable.

    `code` is one of `Code`; `detail` is one sentence that tells the sender what to do.
    """

    def __init__(self, code: Code, detail: str) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"


class UnsupportedType(Unparsable):
    """A file whose content is of no type that is read."""

    def __init__(self, detail: str) -> None:
        super().__init__(Code.UNSUPPORTED_TYPE, detail)
        self.args = (detail,)


class CrashReason(StrEnum):
    """What became of the child process."""

    DIED = "died"
    TIMEOUT = "timeout"
    MEMORY = "memory"


class ParserCrashed(Exception):
    """The child process that worked on the document is gone; only this one call is affected."""

    def __init__(self, reason: CrashReason, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


class ParserFailed(Exception):
    """The parser raised what it should not have; the note holds the traceback of the child."""
