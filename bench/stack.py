"""Starting the product's processes for a benchmark, against servers that run already.

The servers' addresses come by environment (`python -m local test --durable -- python -m bench …`
gives them, and a Postgres that flushes to disk as where data is to be kept).
Every stack has a database, topics, bucket and index of its own.
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import psutil
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from streams import bootstrap, topics_admin
from streams.settings import Settings

START_SECONDS = 90
COMMAND = str(Path(sys.executable).with_name("actionstream"))
_URLS = ("DATABASE_URL", "ADMIN_DATABASE_URL", "GATEWAY_DATABASE_URL")


def free_port() -> int:
    """Returns: a port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def await_answer(url: str) -> None:
    """Wait until a server answers well. Raises: TransportError: it does not within the time."""
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            httpx2.get(url, trust_env=False).raise_for_status()
        except httpx2.TransportError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
        else:
            return


@dataclass
class Stack:
    """The product under measurement: its environment, its processes and their peak memory."""

    environment: dict[str, str]
    settings: Settings
    folder: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    peaks: dict[str, int] = field(default_factory=dict)

    def start(self, name: str, *argv: str) -> None:
        """Start a process; its log goes to a file."""
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                argv, env=self.environment, stdout=log, stderr=log
            )

    def worker(self, name: str, *options: str) -> None:
        """Start a worker with these options and wait until it works."""
        self.start(name, COMMAND, "worker", *options)
        self._await_log(name, '"working"')

    def gateway(self, name: str = "gateway") -> httpx2.Client:
        """Start a gateway. Returns: a client of it."""
        port = free_port()
        self.environment["ACTIONSTREAM_PORT"] = str(port)
        self.start(name, COMMAND, "gateway")
        client = httpx2.Client(
            base_url=f"http://127.0.0.1:{port}",
            headers={"Authorization": f"Bearer {self.environment['ACTIONSTREAM_API_KEY']}"},
            timeout=60,
            trust_env=False,
        )
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            try:
                if client.get("/ready").status_code == 200:
                    return client
            except httpx2.TransportError:
                pass
            time.sleep(0.2)
        raise TimeoutError(self._log(name)[-2000:])

    def _log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def _await_log(self, name: str, mark: str) -> None:
        end = time.monotonic() + START_SECONDS
        while mark not in self._log(name):
            if time.monotonic() > end or self.processes[name].poll() is not None:
                raise TimeoutError(self._log(name)[-2000:])
            time.sleep(0.1)

    def watch_memory(self, stop: threading.Event) -> None:
        """Keep the peak resident bytes of each process, with its children, until told to stop."""
        while not stop.wait(0.5):
            for name, process in list(self.processes.items()):
                try:
                    root = psutil.Process(process.pid)
                    family = [root, *root.children(recursive=True)]
                    total = sum(member.memory_info().rss for member in family)
                except psutil.NoSuchProcess:
                    continue
                self.peaks[name] = max(self.peaks.get(name, 0), total)

    def end(self, *names: str) -> None:
        """End processes, all of them by default, and wait for them."""
        for name in names or tuple(self.processes):
            process = self.processes.pop(name)
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


async def _prepare(settings: Settings, database: str) -> None:
    url = settings.admin_database_url or settings.database_url
    admin = make_url(url.get_secret_value()).set(database="postgres")
    engine = create_async_engine(admin, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(f'CREATE DATABASE "{database}"'))
    await engine.dispose()
    await bootstrap.migrate(settings)
    await bootstrap.prepare_stores(settings)


@contextmanager
def stack(**changes: str) -> Iterator[Stack]:
    """Yield a prepared stack without processes; end whatever it started.

    Args:
        **changes: settings to change, such as `partitions="8"`.
    """
    name = f"bench-{uuid.uuid4().hex[:8]}"
    before = dict(os.environ)  # noqa: TID251 - given back in the end, for what runs here next
    environment = dict(os.environ)  # noqa: TID251 - children get all of it
    for url in _URLS:
        key = f"ACTIONSTREAM_{url}"
        environment[key] = (
            make_url(environment[key]).set(database=name).render_as_string(hide_password=False)
        )
    environment.update(
        ACTIONSTREAM_TOPIC_PREFIX=f"{name}-",
        ACTIONSTREAM_INDEX_PREFIX=f"{name}-",
        ACTIONSTREAM_S3_BUCKET=name,
        ACTIONSTREAM_LOG_FORMAT="json",
        **{f"ACTIONSTREAM_{key.upper()}": value for key, value in changes.items()},
    )
    os.environ.update(environment)  # noqa: TID251 - this process's own settings too
    try:
        settings = Settings()
        asyncio.run(_prepare(settings, name))
        topics_admin.apply(settings)
        with tempfile.TemporaryDirectory() as folder:
            made = Stack(environment, settings, Path(folder))
            stop = threading.Event()
            watcher = threading.Thread(target=made.watch_memory, args=(stop,), daemon=True)
            watcher.start()
            try:
                yield made
            finally:
                stop.set()
                watcher.join()
                made.end()
    finally:
        os.environ.clear()  # noqa: TID251
        os.environ.update(before)  # noqa: TID251
