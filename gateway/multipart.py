"""Reads multipart/form-data as it comes in: no part of it is ever whole in memory or on disk."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from gateway.errors import Malformed

MAX_PARTS: Final = 1100
MAX_HEADER_BYTES: Final = 8192


@dataclass(frozen=True, slots=True)
class Begin:
    """A part begins; a file's part has a filename, which may be empty."""

    name: str
    filename: str | None


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes of the part that began last."""

    data: bytes


@dataclass(frozen=True, slots=True)
class End:
    """The part that began last is whole."""


Event = Begin | Data | End


def boundary_of(content_type: str) -> bytes:
    """Returns: the boundary that a Content-Type names.

    Raises:
        Malformed: it names none, or one that cannot be.
    """
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if not 1 <= len(boundary) <= 70:  # noqa: PLR2004 - RFC 2046, section 5.1.1
        raise Malformed("the Content-Type names no boundary; let your HTTP library set it")
    return boundary


async def events(stream: AsyncIterator[bytes], boundary: bytes) -> AsyncIterator[Event]:
    """Yields: the parts of a body, each as its begin, its bytes as they come, and its end.

    Raises:
        Malformed: not multipart, cut off, or more than 1,100 parts.
    """
    collector = _Collector()
    parser = MultipartParser(
        boundary,
        collector.callbacks(),
        max_header_count=16,
        max_header_size=MAX_HEADER_BYTES,
    )
    try:
        async for chunk in stream:
            parser.write(chunk)
            for event in collector.taken():
                yield event
        parser.finalize()
    except FormParserError as error:
        raise Malformed("the body is not well-formed multipart/form-data") from error
    if not collector.ended:
        raise Malformed("the body ends before its last boundary; send it whole")


class _Collector:
    """Collects what the push parser says about one chunk."""

    def __init__(self) -> None:
        self.ended = False
        self._events: list[Event] = []
        self._parts = 0
        self._name = b""
        self._value = b""
        self._disposition = ""

    def callbacks(self) -> Any:  # noqa: ANN401 - the parser's mapping of callbacks
        return {
            "on_part_begin": self._part_begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._part_data,
            "on_part_end": self._part_end,
            "on_end": self._end,
        }

    def taken(self) -> list[Event]:
        """Returns: what was collected since the last call."""
        events, self._events = self._events, []
        return events

    def _part_begin(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise Malformed(f"more than {MAX_PARTS} parts; send fewer at once")
        self._name, self._value, self._disposition = b"", b"", ""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._name.lower() == b"content-disposition":
            # The parser of options takes latin-1; what it returns is turned into UTF-8 below.
            self._disposition = self._value.decode("latin-1")
        self._name, self._value = b"", b""

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        if b"name" not in options:
            raise Malformed("a part has no name in its Content-Disposition")
        filename = options.get(b"filename")
        self._events.append(
            Begin(_text(options[b"name"]), None if filename is None else _text(filename))
        )

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        self._events.append(Data(data[start:end]))

    def _part_end(self) -> None:
        self._events.append(End())

    def _end(self) -> None:
        self.ended = True


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", errors="replace")
