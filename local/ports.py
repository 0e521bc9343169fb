"""The ports of a local run, all on loopback: fixed ones for `make run`, free ones for tests."""

import errno
import socket
from contextlib import ExitStack, closing
from dataclasses import dataclass, fields

from local.errors import Obstacle

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Ports:
    """One port for each thing that listens."""

    kafka: int
    kafka_controller: int
    postgres: int
    opensearch: int
    opensearch_transport: int
    s3: int
    models: int
    gateway: int
    worker_1: int
    worker_2: int
    delay: int

    def as_dict(self) -> dict[str, int]:
        """Returns: the ports by name, in their fixed order."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def from_base(base: int, gateway: int | None = None) -> Ports:
    """Returns: ports from `base` upwards in a fixed order; the gateway's can be its own."""
    names = [field.name for field in fields(Ports)]
    numbers = {name: base + place for place, name in enumerate(names)}
    if gateway is not None:
        numbers["gateway"] = gateway
    return Ports(**numbers)


def free() -> Ports:
    """Returns: ports that nobody used a moment ago, different from each other."""
    with ExitStack() as held:
        numbers = []
        for _ in fields(Ports):
            probe = held.enter_context(closing(socket.socket()))
            probe.bind((HOST, 0))
            numbers.append(probe.getsockname()[1])
    return Ports(*numbers)


def check(wanted: dict[str, int]) -> None:
    """Make sure that the ports can be listened on.

    Raises:
        Obstacle: one cannot; the sentence names it and the setting that moves it.
    """
    for name, port in wanted.items():
        setting = "ACTIONSTREAM_GATEWAY_PORT" if name == "gateway" else "ACTIONSTREAM_PORT_BASE"
        with closing(socket.socket()) as probe:
            # A connection of an earlier run that still lingers is no listener.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError as problem:
                if problem.errno not in (errno.EADDRINUSE, errno.EACCES):
                    raise
                raise Obstacle(
                    f"Port {port} ({name.replace('_', ' ')}) is in use: "
                    f"stop what listens there, or set {setting} to another number."
                ) from problem
