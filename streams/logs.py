"""The workers' log: one line a record on stdout, as JSON or readable on a terminal."""

import logging
import sys
import time

import structlog

from schemas.settings import LogSettings

_REPEAT_SECONDS = 10.0
_NOISY = ("aiokafka", "faust", "mode", "botocore", "aiobotocore", "opensearch", "httpx")


class RateLimit(logging.Filter):
    """Lets the same line of a library through once in ten seconds.

    One broker outage of half a minute makes 9,000 lines in three workers otherwise.
    """

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Returns: whether the line is logged."""
        if record.levelno < logging.WARNING:
            return True
        key, now = (record.name, str(record.msg)), time.monotonic()
        if now - self._seen.get(key, -_REPEAT_SECONDS) < _REPEAT_SECONDS:
            return False
        if len(self._seen) > 1000:  # noqa: PLR2004 - a bound, not a tuned number
            self._seen.clear()
        self._seen[key] = now
        return True


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
