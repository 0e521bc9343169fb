"""Backups that are killed, stopped or refused in the middle leave nothing that looks like one."""

import asyncio
import re
import signal
import stat
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from streams.backup import address
from streams.backup.address import Address
from streams.backup.bucket import Bucket
from streams.backup.create import create
from streams.backup.errors import BackupFailed
from streams.backup.manifest import DUMP, named
from streams.backup.prune import prune
from streams.backup.settings import BackupSettings
from streams.backup.target import Target, stored
from streams.clients import s3
from tests.integration.backup.conftest import WRITTEN, CommandLine, Place


async def in_the_middle(place: Place) -> None:
    """Return when a part of a dump has arrived."""
    while not await place.begun():  # noqa: ASYNC110 - another process writes
        await asyncio.sleep(0.05)


async def test_a_killed_one_is_none(
    settings: BackupSettings, target: Target, place: Place, backup: CommandLine, stuck: Path
) -> None:
    """SIGKILL in the middle: nothing is listed, the next works, and what is left goes a day on."""
    process = await backup.start("create", ACTIONSTREAM_POSTGRES_BIN=str(stuck))
    await in_the_middle(place)
    process.kill()
    await process.wait()

    assert await stored(target) == []
    made = await create(settings, target)
    today = await prune(settings, target)
    assert await place.begun()
    tomorrow = await prune(settings, target, now=datetime.now(UTC) + timedelta(days=1, minutes=1))

    assert [one.name for one in await stored(target)] == [made.name]
    assert (today.backups, today.unfinished) == ([], [])
    assert (tomorrow.backups, len(tomorrow.unfinished)) == ([], 1)
    assert not await place.begun()


async def test_a_stopped_one_clears_up(
    target: Target, place: Place, backup: CommandLine, stuck: Path
) -> None:
    """SIGTERM in the middle: it takes away what it had written, and ends."""
    process = await backup.start("create", ACTIONSTREAM_POSTGRES_BIN=str(stuck))
    await in_the_middle(place)
    process.send_signal(signal.SIGTERM)
    await process.wait()

    assert process.returncode == 128 + signal.SIGTERM
    assert not await place.begun()
    assert await stored(target) == []


async def test_a_dump_that_fails_late_is_none(
    settings: BackupSettings, target: Target, place: Place, programs: Path, tmp_path: Path
) -> None:
    """pg_dump fails after 40 MB: its first complaint is told, and nothing is left."""
    script = tmp_path / "pg_dump"
    script.write_text(
        f"""#!/bin/sh
[ "$1" = --version ] && exec {programs}/pg_dump --version
/usr/bin/head -c {WRITTEN} /dev/zero
echo 'pg_dump: warning: nothing of note' >&2
echo 'pg_dump: error: the server is gone' >&2
echo 'pg_dump: detail: row (7, secret)' >&2
exit 1
"""
    )
    script.chmod(stat.S_IRWXU)
    (tmp_path / "pg_restore").symlink_to(programs / "pg_restore")
    failing = settings.model_copy(update={"postgres_bin": tmp_path})

    with pytest.raises(BackupFailed, match=r"^pg_dump failed \(1\): the server is gone$"):
        await create(failing, target)

    assert await stored(target) == []
    assert not await place.begun()


@pytest.mark.parametrize("place", ["folder"], indirect=True)
async def test_a_full_disk_is_told(target: Target, backup: CommandLine) -> None:
    """A dump that finds no room fails with what to do, and leaves nothing."""
    ended = await backup("create", limit="ulimit -f 16;")

    assert ended.code == 1
    assert "is full: free some space" in ended.error
    assert await stored(target) == []


@pytest.mark.parametrize("place", ["bucket"], indirect=True)
async def test_many_parts_are_one_dump(settings: BackupSettings, place: Place) -> None:
    """What was uploaded in parts is read back in parts, byte for byte; the empty too."""
    content = bytes(range(256)) * 50_000

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(content), 1_000_000):
            yield content[start : start + 1_000_000]

    async def nothing() -> AsyncIterator[bytes]:
        yield b""

    async with s3.connected(settings) as client:
        name = place.target.removeprefix("s3://").partition("/")[0]
        bucket = Bucket(client, name, "parts", part_bytes=5 * 1024**2)
        whole, empty = named(datetime.now(UTC)), named(datetime.now(UTC))
        await bucket.write(whole, DUMP, chunks())
        await bucket.write(empty, DUMP, nothing())
        assert b"".join([chunk async for chunk in bucket.read(whole, DUMP)]) == content
        assert b"".join([chunk async for chunk in bucket.read(empty, DUMP)]) == b""


NOWHERE = "postgresql+psycopg://postgres:wrong@127.0.0.1:1/actionstream"
REFUSALS = {
    "no target": ({"BACKUP_TARGET": ""}, "set ACTIONSTREAM_BACKUP_TARGET"),
    "missing folder": ({"BACKUP_TARGET": "missing"}, "the folder missing .* is missing: make it"),
    "missing bucket": ({"BACKUP_TARGET": "s3://missing-here/x"}, "the bucket missing-here"),
    "wrong key": (
        {"BACKUP_TARGET": "s3://missing-here/x", "S3_SECRET_KEY": "wrong"},
        "the object store refuses: 403",
    ),
    "no store": (
        {"BACKUP_TARGET": "s3://b/x", "S3_ENDPOINT": "http://127.0.0.1:1"},
        "the object store does not answer",
    ),
    "no server": ({"ADMIN_DATABASE_URL": NOWHERE}, "Postgres: .*refused"),
    "no programs": ({"POSTGRES_BIN": "."}, "pg_dump is not in .: install"),
}


@pytest.mark.parametrize("place", ["folder"], indirect=True)
@pytest.mark.parametrize("wrong", REFUSALS)
async def test_what_is_missing_is_told(target: Target, backup: CommandLine, wrong: str) -> None:
    """Each with a sentence that says what to do, exit code 1, and no backup."""
    variables, said = REFUSALS[wrong]

    ended = await backup("create", **{f"ACTIONSTREAM_{key}": one for key, one in variables.items()})

    assert ended.code == 1
    assert ended.out == ""
    assert re.match(f"error: .*{said}", ended.error)
    assert len(ended.error.splitlines()) == 1
    assert await stored(target) == []


@pytest.mark.parametrize("place", ["folder"], indirect=True)
async def test_a_wrong_password_is_told(
    settings: BackupSettings, target: Target, backup: CommandLine, database: Address
) -> None:
    """The server's own words, without the password."""
    url = database.url.set(password="wrong-password").render_as_string(hide_password=False)

    ended = await backup("create", ACTIONSTREAM_ADMIN_DATABASE_URL=url)

    assert ended.code == 1
    assert "password authentication failed" in ended.error
    assert "wrong-password" not in ended.error
    assert await stored(target) == []


@pytest.mark.parametrize("place", ["folder"], indirect=True)
async def test_an_old_pg_dump_is_told(
    settings: BackupSettings, target: Target, tmp_path: Path
) -> None:
    """One older than the server is refused before anything is done."""
    for name in ("pg_dump", "pg_restore"):
        (tmp_path / name).write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.1 (Debian 9.6)'\n")
        (tmp_path / name).chmod(stat.S_IRWXU)
    old = settings.model_copy(update={"postgres_bin": tmp_path})

    with pytest.raises(BackupFailed, match=r"is 9.6.1 and the server is \d+"):
        await create(old, target)


@pytest.mark.parametrize("place", ["folder"], indirect=True)
async def test_an_empty_database_is_refused(settings: BackupSettings, target: Target) -> None:
    """A wrong address would fill the place with backups of nothing, and push out the good ones."""
    elsewhere = address.of(settings).of("postgres").url.render_as_string(hide_password=False)
    wrong = settings.model_copy(update={"admin_database_url": SecretStr(elsewhere)})

    with pytest.raises(BackupFailed, match="has no tables of this product"):
        await create(wrong, target)
