"""How the gateway logs: one JSON line an event on stdout, or text on a terminal.

Nothing here logs bodies, texts of documents, or keys.
"""

import logging
import sys
import threading
import time
from collections.abc import Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any, Final, TextIO

import orjson
import structlog

from schemas.settings import SharedSettings

_PER_MINUTE: Final = 20


class RateLimit(logging.Filter):
    """Lets a logger through a number of times a minute, then says how many it held back.

    librdkafka repeats itself many times a second while a broker is away.
    """

    def __init__(self, per_minute: int = _PER_MINUTE) -> None:
        super().__init__()
        self._limit = per_minute
        self._since = 0.0
        self._seen = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Returns: whether the record is logged; the first of a new minute tells of those lost."""
        now = time.monotonic()
        if now - self._since >= 60:  # noqa: PLR2004 - a minute
            held = max(0, self._seen - self._limit)
            self._since, self._seen = now, 0
            if held:
                record.msg = f"{record.getMessage()} ({held} records before this held back)"
                record.args = ()
        self._seen += 1
        return self._seen <= self._limit


class _Lines:
    """Makes loggers that write ready lines to a stream, each line whole.

    Through the standard library's logging a line took 60 µs of the 400 of a read, so only what
    comes from there goes that way.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def __call__(self, name: str = "gateway", *_: object) -> "_Logger":
        """Returns: the logger of this name."""
        return _Logger(name, self)

    def write(self, line: str) -> None:
        """Write one line at once."""
        with self._lock:
            self._stream.write(line + "\n")
            self._stream.flush()


class _Logger:
    """Writes what structlog has rendered; `name` is where it comes from."""

    def __init__(self, name: str, lines: _Lines) -> None:
        self.name = name
        self.msg = lines.write

    def __getattr__(self, level: str) -> Callable[[str], None]:
        return self.msg


def configure(settings: SharedSettings) -> None:
    """Set up structlog and the standard library's logging for this process."""
    level = logging.getLevelNamesMapping().get(settings.log_level.upper(), logging.INFO)
    text = settings.log_format == "text" or (settings.log_format == "auto" and sys.stdout.isatty())
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True) if text else _stamped
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        stamp,
        structlog.processors.StackInfoRenderer(),
    ]
    rendering: list[Any] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if text
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(_json)]
    )
    structlog.configure(
        processors=[*shared, *rendering],
        logger_factory=_Lines(sys.stdout),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    _quieten()


def _stamped(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Returns: the event with its time, whose text is made where the whole line is."""
    event["timestamp"] = datetime.now(UTC)
    return event


def _json(event: Mapping[str, Any], **_: object) -> str:
    return orjson.dumps(event, default=repr, option=orjson.OPT_UTC_Z).decode()


def _is_no_handshake(record: logging.LogRecord) -> bool:
    """Returns: whether a line is not uvicorn's of a WebSocket, which has the whole URL in it."""
    return '"WebSocket %s"' not in str(record.msg)


def _quieten() -> None:
    # The edge writes one line a request itself, with more in it.
    logging.getLogger("uvicorn.access").disabled = True
    for name in ("httpx", "httpcore", "opensearch", "botocore", "aiobotocore"):
        logging.getLogger(name).setLevel(logging.ERROR)
    server = logging.getLogger("uvicorn.error")
    server.addFilter(_is_no_handshake)
    # Its debug lines have the headers of WebSockets, and a key may be among them.
    server.setLevel(max(logging.INFO, logging.getLogger().level))
    for name in ("publisher", "results", "events", "backlog"):
        logger = logging.getLogger(f"gateway.kafka.{name}")
        logger.filters[:] = [RateLimit()]
