"""What is broken: servers and product processes of the run's own, each of which comes back."""

import asyncio
import contextlib
import json
import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from random import Random

import psutil

from local import estate as servers
from local import readiness, record
from local.environment import LocalSettings, inherited
from local.estate import Estate as Planned
from local.ports import HOST, Ports, from_base
from local.program import Program
from local.record import State
from local.running import actionstream
from local.servers import kafka, product
from local.session import first_problem, supervised
from local.supervisor import Restarts, Supervisor
from tests.chaos import proxy
from tests.chaos.options import Options
from tests.fakes.supervised import pids_of

BEHIND_PROXY = ("kafka", "postgres", "opensearch", "s3", "models")
SERVERS = ("kafka", "postgres", "opensearch", "s3")
MODEL = "models"
PROXY = "proxy"
MODEL_MS, MODEL_SLOTS = 200, 2
_PROXIED = {
    "ACTIONSTREAM_KAFKA_BOOTSTRAP": "kafka",
    "ACTIONSTREAM_DATABASE_URL": "postgres",
    "ACTIONSTREAM_GATEWAY_DATABASE_URL": "postgres",
    "ACTIONSTREAM_OPENSEARCH_URL": "opensearch",
    "ACTIONSTREAM_S3_ENDPOINT": "s3",
    "ACTIONSTREAM_OLLAMA_URL": "models",
}
#: Shorter times, so that a run takes minutes and not hours; the mechanisms are the same.
_SETTINGS = {
    "ACTIONSTREAM_ATTEMPTS": "3",
    "ACTIONSTREAM_PARTITIONS": "4",
    "ACTIONSTREAM_LEASE": "PT5S",
    "ACTIONSTREAM_SESSION_TIMEOUT": "PT6S",
    "ACTIONSTREAM_REBALANCE_TIMEOUT": "PT30S",
    "ACTIONSTREAM_MODEL_TIMEOUT": "PT8S",
    "ACTIONSTREAM_BREAKER_PROBE_TIMEOUT": "PT8S",
    "ACTIONSTREAM_BREAKER_PAUSE": "PT1S",
    "ACTIONSTREAM_PARSE_TIMEOUT": "PT20S",
    "ACTIONSTREAM_FETCH_TIMEOUT": "PT20S",
    "ACTIONSTREAM_GRACE": "PT5S",
    "ACTIONSTREAM_CHAT_MODEL": "fixed-chat",
    "ACTIONSTREAM_EMBEDDING_MODEL": "fixed-embed",
    "ACTIONSTREAM_OCR_ENGINE": "none",
    "ACTIONSTREAM_LOG_FORMAT": "json",
}


@dataclass
class Estate:
    """The running estate. `direct` leads past the proxy, for those who look from outside."""

    supervisor: Supervisor
    planned: Planned
    gateways: dict[str, int]
    control: int
    model_log: Path
    direct: dict[str, str]
    workers: list[str]
    holders: list[str]

    def pid(self, name: str) -> int | None:
        """Returns: the process of a program, if one runs."""
        return pids_of(self.supervisor).get(name)

    def ready(self, name: str, *, since: int | None = None) -> bool:
        """Returns: whether a program serves, by a process other than `since`."""
        _, entries = record.read(self.planned.places.state)
        return any(
            entry.name == name and entry.state is State.READY and entry.pid != since
            for entry in entries
        )

    async def until_ready(self, name: str, *, since: int | None, limit_s: float = 180) -> bool:
        """Returns: whether a program served again, by another process, within the limit."""
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            if self.ready(name, since=since):
                return True
            await asyncio.sleep(0.2)
        return False

    def family(self, name: str) -> list[psutil.Process]:
        """Returns: a program's process and all its descendants."""
        pid = self.pid(name)
        if pid is None:
            return []
        try:
            root = psutil.Process(pid)
            return [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    async def misbehave(self, mode: str, share: float, seconds: float) -> None:
        """Make the model server misbehave for a while."""
        body = json.dumps({"mode": mode, "share": share, "seconds": seconds}).encode()
        port = self.planned.ports.models
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection(HOST, port)
            writer.write(
                b"POST /admin/behaviour HTTP/1.1\r\nHost: model\r\nConnection: close\r\n"
                + f"Content-Length: {len(body)}\r\n\r\n".encode()
                + body
            )
            await reader.read()
            writer.close()

    async def add_worker(self) -> str:
        """Start one more worker. Returns: its name."""
        name = f"worker-{1 + max(int(each.rpartition('-')[2]) for each in self.workers)}"
        self.workers.append(name)
        await self.supervisor.start([_worker(name, self.planned)])
        return name

    async def remove_worker(self, name: str) -> None:
        """End a worker in good order, for good."""
        self.workers.remove(name)
        await self.supervisor.end(name)


@contextlib.asynccontextmanager
async def running(options: Options, say: Callable[[str], None]) -> AsyncIterator[Estate]:
    """Yield the estate, with everything ready; end it, and keep its logs in the report's folder.

    Raises:
        Obstacle: something could not be had or started.
    """
    state = Path(tempfile.mkdtemp(prefix="actionstream-chaos-"))
    ports, spare = _ports(options)
    ways = dict(zip(BEHIND_PROXY, spare[: len(BEHIND_PROXY)], strict=True))
    control = spare[len(BEHIND_PROXY)]
    gateways = {
        f"gateway-{number + 1}": spare[len(BEHIND_PROXY) + 1 + number]
        for number in range(options.gateways)
    }
    planned = _plan(state, ports, ways, control)
    gateway = {"ACTIONSTREAM_GATEWAY_URL": f"http://{HOST}:{gateways['gateway-1']}"}
    direct = {**planned.variables, **_SETTINGS, **gateway}
    planned = replace(planned, variables=_through(direct, ports, ways))
    # A little longer each time: Postgres cannot start while a stopped child of it is left.
    unlimited = Restarts(most=1_000_000, pause_s=0.05)
    try:
        async with supervised(planned, say, unlimited) as supervisor:
            workers = [f"worker-{number + 1}" for number in range(options.workers)]
            holders = [f"holder-{number + 1}" for number in range(options.holders)]
            estate = Estate(
                supervisor, planned, gateways, control, state / "model.jsonl", direct, workers,
                holders,
            )  # fmt: skip
            with first_problem():
                async with asyncio.TaskGroup() as group:
                    group.create_task(actionstream(supervisor, planned, "migrate"))
                    group.create_task(actionstream(supervisor, planned, "topics", "apply"))
                await supervisor.start(_product(estate))
            yield estate
    finally:
        shutil.rmtree(options.report / "logs", ignore_errors=True)
        shutil.copytree(planned.places.logs, options.report / "logs")
        shutil.rmtree(planned.places.data, ignore_errors=True)
        shutil.rmtree(state, ignore_errors=True)


def _plan(state: Path, ports: Ports, ways: dict[str, int], control: int) -> Planned:
    settings = LocalSettings()
    # Kept as it would be in production: what was committed must survive a kill.
    planned = servers.plan(state, ports, settings)
    broker = kafka.describe(planned.places, ports, settings, advertised=ways["kafka"])
    originals = [broker if each.name == "kafka" else each for each in planned.servers]
    model = Program(
        name=MODEL,
        argv=(
            *(sys.executable, "-m", "tests.chaos.model", str(ports.models)),
            *(str(MODEL_MS), str(MODEL_SLOTS), str(state / "model.jsonl")),
        ),
        env=inherited(),
        port=ports.models,
        ready=lambda: readiness.http_ok(f"http://{HOST}:{ports.models}/api/version"),
    )
    pairs = (f"{name}:{ways[name]}:{ports.as_dict()[name]}" for name in BEHIND_PROXY)
    between = Program(
        name=PROXY,
        argv=(sys.executable, "-m", "tests.chaos.proxy", str(control), *pairs),
        env=inherited(),
        port=control,
        ready=lambda: _answers(control),
    )
    killable = [replace(each, restarts=True) for each in (*originals, model)]
    return replace(planned, servers=(*killable, between))


async def _answers(control: int) -> bool:
    return await proxy.tell(control, "") == 0


def _through(direct: dict[str, str], ports: Ports, ways: dict[str, int]) -> dict[str, str]:
    """Returns: the variables of the product, whose addresses lead through the proxy."""
    places = ports.as_dict()
    return direct | {
        variable: direct[variable].replace(f":{places[name]}", f":{ways[name]}")
        for variable, name in _PROXIED.items()
    }


def _product(estate: Estate) -> list[Program]:
    planned = estate.planned
    gateways = [
        _behind_proxy(
            replace(
                product.gateway(replace(planned.ports, gateway=port), planned.variables), name=name
            )
        )
        for name, port in estate.gateways.items()
    ]
    workers = [_worker(name, planned) for name in estate.workers]
    return [*gateways, *workers, *(_holder(name, planned) for name in estate.holders)]


def _worker(name: str, planned: Planned) -> Program:
    return _named(
        product.worker(1, planned.places, planned.ports, planned.variables), name, planned
    )


def _holder(name: str, planned: Planned) -> Program:
    return _named(product.delay(planned.places, planned.ports, planned.variables), name, planned)


def _named(program: Program, name: str, planned: Planned) -> Program:
    """Returns: one of several of a kind, under its own name and without a port."""
    log = planned.places.log(name)
    return replace(
        _behind_proxy(program),
        name=name,
        env={**program.env, "ACTIONSTREAM_METRICS_PORT": "0"},
        port=None,
        ready=lambda: readiness.worker_works(log),
    )


def _behind_proxy(program: Program) -> Program:
    return replace(program, after=(*program.after, PROXY))


def _ports(options: Options) -> tuple[Ports, list[int]]:
    """Find ports below those that the system gives to outgoing connections.

    Otherwise such a connection could take the port of a server while it is being restarted.
    """
    own = len(fields(Ports))
    wanted = own + len(BEHIND_PROXY) + 1 + options.gateways
    starts = list(range(20_000, 32_000, 50))
    Random(os.getpid()).shuffle(starts)
    for start in starts:
        if all(_free(port) for port in range(start, start + wanted)):
            return from_base(start), list(range(start + own, start + wanted))
    raise OSError("no free ports")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
