"""The delay consumer as a process: its log, its metrics, its end."""

import signal
from threading import Event
from types import FrameType

from prometheus_client import start_http_server

from streams import logs
from streams.delay.consumer import DelayConsumer
from streams.settings import ConsumerSettings


def run(settings: ConsumerSettings) -> None:
    """Hold and return records until SIGTERM or SIGINT."""
    logs.configure(settings)
    stop = Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    if settings.metrics_port:
        start_http_server(settings.metrics_port, addr=settings.metrics_host)
    DelayConsumer(settings).run(stop)
