"""The workers' log: one line a record on stdout, as JSON or readable on a terminal."""

import logging
import sys
import time

import structlog

from schemas.settings import LogSettings

_REPEAT_SECONDS = 10.0
_NOISY = ("aiokafka", "faust", "mode", "botocore", "aiobotocore", "opensearch", "httpx")


class Seldom:
    """Tells whether a line that may come very often is to be logged: once in ten seconds."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], float] = {}

    def __call__(self, source: str, line: str) -> bool:
        """Returns: whether this line of this source is logged now."""
        key, now = (source, line), time.monotonic()
        if now - self._seen.get(key, -_REPEAT_SECONDS) < _REPEAT_SECONDS:
            return False
        if len(self._seen) > 1000:  # noqa: PLR2004 - a bound, not a tuned number
            self._seen.clear()
        self._seen[key] = now
        return True


class RateLimit(logging.Filter):
    """Lets the same line of a library through once in ten seconds.

    One broker outage of half a minute makes 9,000 lines in three workers otherwise.
    """

    def __init__(self) -> None:
        super().__init__()
        self._seldom = Seldom()

    def filter(self, record: logging.LogRecord) -> bool:
        """Returns: whether the line is logged."""
        return record.levelno < logging.WARNING or self._seldom(record.name, str(record.msg))


def configure(settings: LogSettings) -> None:
    """Send all logs, the libraries' too, to stdout in one form."""
    readable = settings.log_format == "text" or (
        settings.log_format == "auto" and sys.stdout.isatty()
    )
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer()]
        if readable
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    structlog.configure(
        processors=[*shared, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
        )
    )
    handler.addFilter(RateLimit())
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[handler], force=True)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
