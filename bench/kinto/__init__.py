"""Kinto as a peer: an environment of its own, its settings, its tables, two gunicorn workers.

https://kinto.readthedocs.io: storage and permissions in Postgres, in a database of its own on the
server that the product uses. Where a setting makes it faster it is set so: no logs, basic
authentication without a slow hash, a batch of 100 in one request (its default is 25), threads
under gunicorn, which keep connections open as the product's server does.
"""

import base64
import hashlib
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx2
from sqlalchemy import URL

from bench.stack import Stack, await_answer, free_port

REQUIREMENTS: Final = Path(__file__).with_name("requirements.txt")
WORKERS: Final = 2
THREADS: Final = 4
LARGEST_BATCH: Final = 100
COLLECTION: Final = "/buckets/bench/collections/diary"

_USER: Final = "bench:bench"
_SETTINGS: Final = """
[app:main]
use = egg:kinto
kinto.storage_backend = kinto.core.storage.postgresql
kinto.storage_url = {url}
kinto.permission_backend = kinto.core.permission.postgresql
kinto.permission_url = {url}
kinto.cache_backend = kinto.core.cache.memory
kinto.userid_hmac_secret = bench
kinto.bucket_create_principals = system.Authenticated
kinto.batch_max_requests = {batch}
multiauth.policies = basicauth

[server:main]
use = egg:waitress#main

[loggers]
keys = root

[handlers]
keys = console

[formatters]
keys = plain

[logger_root]
level = ERROR
handlers = console

[handler_console]
class = StreamHandler
args = (sys.stderr,)
level = ERROR
formatter = plain

[formatter_plain]
format = %(message)s
"""


def provision(cache: Path) -> Path:
    """Make the environment in a folder of downloads, once for each set of requirements.

    Returns: the folder of its programs.
    """
    mark = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]
    home = cache / f"kinto-{mark}"
    if not (home / "complete").exists():
        shutil.rmtree(home, ignore_errors=True)
        uv = str(Path(sys.executable).with_name("uv"))
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(home)], check=True)
        sync = [uv, "pip", "sync", "--quiet", "--require-hashes", str(REQUIREMENTS)]
        subprocess.run([*sync, "--python", str(home / "bin" / "python")], check=True)
        (home / "complete").touch()
    return home / "bin"


@dataclass(frozen=True, slots=True)
class Kinto:
    """A Kinto that serves, with its bucket and its collection made."""

    port: int
    client: httpx2.Client

    @property
    def authorization(self) -> str:
        """Returns: the header that opens it."""
        return str(self.client.headers["Authorization"])


def start(made: Stack, programs: Path, url: URL) -> Kinto:
    """Make the tables in an empty database, start the server, and enter a collection.

    Returns: the server; it ends with the stack.
    """
    settings = made.folder / "kinto.ini"
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    settings.write_text(_SETTINGS.format(url=address, batch=LARGEST_BATCH), encoding="utf-8")
    settings.chmod(0o600)
    migrate = [str(programs / "kinto"), "migrate", "--ini", str(settings)]
    subprocess.run(migrate, check=True, capture_output=True)
    port = free_port()
    made.start(
        "kinto",
        *(str(programs / "gunicorn"), "--paste", str(settings), "--bind", f"127.0.0.1:{port}"),
        *("--workers", str(WORKERS), "--threads", str(THREADS), "--timeout", "120"),
        *("--keep-alive", "75", "--log-level", "error"),
    )
    token = base64.b64encode(_USER.encode()).decode()
    client = httpx2.Client(
        base_url=f"http://127.0.0.1:{port}/v1",
        headers={"Authorization": f"Basic {token}"},
        timeout=60,
        trust_env=False,
    )
    await_answer(f"http://127.0.0.1:{port}/v1/")
    for path in (COLLECTION.rpartition("/collections")[0], COLLECTION):
        client.put(path).raise_for_status()
    return Kinto(port, client)
