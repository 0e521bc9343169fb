"""Create, destroy, restore: everything is as it was."""

import asyncio
import os
import re
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from streams.backup.address import Address
from streams.backup.create import create
from streams.backup.drill import drill
from streams.backup.errors import BackupFailed, BadBackup, Busy
from streams.backup.manifest import DUMP, MANIFEST, Manifest
from streams.backup.programs import Programs
from streams.backup.restore import chosen, drop, restore
from streams.backup.settings import BackupSettings
from streams.backup.target import Target, stored, write_note
from streams.backup.turn import turn
from streams.backup.verify import verify
from tests.integration.backup.conftest import CommandLine
from tests.integration.backup.rows import ROWS, content


@pytest.fixture
async def scratch(database: Address) -> AsyncIterator[str]:
    """A name for a database; what is made by it is dropped."""
    name = f"test-{secrets.token_hex(6)}"
    yield name
    await drop(database, name)


async def structure(programs: Path, database: Address) -> str:
    """Everything about a database but its rows, as statements."""
    child = await asyncio.create_subprocess_exec(
        *(str(programs / "pg_dump"), "--schema-only", "--no-owner", "--restrict-key=x"),
        database.conninfo(),
        env=database.secrets(),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await child.communicate()
    assert child.returncode == 0
    return out.decode()


async def test_what_was_destroyed_is_restored(
    backup: CommandLine, database: Address, scratch: str, programs: Path
) -> None:
    """Rows, tables, indexes and rights of the restored database are those of the backup's time.

    Only the schema `edge`, which may be lost, comes back empty.
    """
    before = await content(database)
    assert all(count >= ROWS or "alembic" in table for table, (count, _) in before.items())
    made = await backup("create")
    async with database.connect() as connection:
        await connection.execute("DELETE FROM documents")
        await connection.execute("TRUNCATE objects, steps")
        await connection.execute("UPDATE pages SET text = 'gone'")
    assert await content(database) != before

    ended = await backup("restore", "--into", scratch)

    assert (made.code, ended.code) == (0, 0), made.error + ended.error
    after = await content(database.of(scratch))
    kept = {table: found for table, found in before.items() if not table.startswith("edge.")}
    assert {table: after[table] for table in kept} == kept
    assert after.keys() == before.keys()
    assert {found for table, found in after.items() if table not in kept} == {(0, None)}
    assert await structure(programs, database.of(scratch)) == await structure(programs, database)


KEYS = ("aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb", "cccccccccccccccc")
OPEN = (
    "SELECT key_id FROM api_keys WHERE revoked_at IS NULL AND expires_at IS NULL"
    " AND gpt_id = 'g1' ORDER BY key_id"
)
CLOSED = (
    "SELECT gpt_id FROM gpts WHERE disabled_at IS NOT NULL AND gpt_id LIKE 'g%' ORDER BY gpt_id"
)


@pytest.fixture
async def opening(database: Address) -> None:
    """Three keys that open two GPTs."""
    async with database.connect() as connection:
        for gpt_id in ("g1", "g2", "g3"):
            await connection.execute("INSERT INTO gpts (gpt_id, name) VALUES (%s, 'x')", [gpt_id])
        for key_id in KEYS:
            await connection.execute(
                "INSERT INTO api_keys (key_id, gpt_id, name, scopes, hash)"
                " VALUES (%s, 'g1', 'x', '{read}', '')",
                [key_id],
            )


async def column(database: Address, statement: str) -> list[str]:
    """The first column of what a statement finds."""
    async with database.connect() as connection:
        return [row[0] for row in await (await connection.execute(statement)).fetchall()]


@pytest.mark.usefixtures("opening")
async def test_a_restore_can_leave_no_key_open(
    backup: CommandLine, database: Address, scratch: str
) -> None:
    """Without being told it leaves all as they were and says so; a key can be kept by its id."""
    assert (await backup("create")).code == 0

    refused = await backup("restore", "--into", scratch, "--revoke-keys", "--keep-key", "nobody")
    assert (refused.code, "no key nobody to keep" in refused.error) == (1, True)
    revoking = ("--revoke-keys", "--keep-key", KEYS[1])
    ended = await backup("restore", "--into", scratch, *revoking)
    assert ended.code == 0, ended.error
    assert "keys are revoked" in ended.out
    assert await column(database.of(scratch), OPEN) == [KEYS[1]]

    await drop(database, scratch)
    plain = await backup("restore", "--into", scratch)
    assert "opens again (see --revoke-keys)" in plain.out
    assert await column(database.of(scratch), OPEN) == list(KEYS)


@pytest.mark.parametrize("place", ["folder"], indirect=True)
@pytest.mark.usefixtures("opening")
async def test_what_was_closed_since_is_carried_over(
    backup: CommandLine, database: Address, scratch: str, programs: Path
) -> None:
    """By the commands of the page, as they are written there."""
    assert (await backup("create")).code == 0
    async with database.connect() as connection:
        for statement in (
            "UPDATE api_keys SET revoked_at = now() WHERE key_id LIKE 'aaa%'",
            "UPDATE api_keys SET expires_at = now() WHERE key_id LIKE 'bbb%'",
            "UPDATE gpts SET disabled_at = now() WHERE gpt_id = 'g2'",
            "UPDATE gpts SET deleted_at = now() WHERE gpt_id = 'g3'",
        ):
            await connection.execute(statement)
    assert (await backup("restore", "--into", scratch)).code == 0

    page = Path(__file__).parents[3] / "docs" / "how-to" / "backup.md"
    carry, deleted = re.findall(r"```sh\n(psql .*?)```", page.read_text(), re.DOTALL)
    surroundings = {
        **database.secrets(),
        "PATH": f"{programs}:{os.defpath}",
        "BEFORE": database.conninfo(),
        "RESTORED": database.of(scratch).conninfo(),
    }
    said = []
    for command in (carry, deleted):
        child = await asyncio.create_subprocess_exec(
            *("/bin/sh", "-euc", command), env=surroundings, stdout=asyncio.subprocess.PIPE
        )
        said.append((await child.communicate())[0].decode())
        assert child.returncode == 0

    assert await column(database.of(scratch), OPEN) == [KEYS[2]]
    assert await column(database.of(scratch), CLOSED) == ["g2", "g3"]
    assert "g3\n" in said[1]


async def test_the_counts_are_of_the_dumps_own_moment(
    settings: BackupSettings, target: Target, database: Address
) -> None:
    """While rows come and go all the time, a drill finds as many as the manifest says."""

    async def write() -> None:
        async with database.connect() as connection:
            number = 0
            while True:
                number += 1
                name = f"busy-{number}"
                await connection.execute(
                    "INSERT INTO event_counters (gpt_id, last) VALUES (%s, 1)", [name]
                )

    writing = asyncio.ensure_future(write())
    manifest = await create(settings, target)
    writing.cancel()
    await asyncio.wait({writing})
    report = await drill(settings, target)

    assert manifest.tables["public.event_counters"] > 0
    assert report.differences == []
    assert report.name == manifest.name


async def test_a_restore_overwrites_nothing(
    settings: BackupSettings, target: Target, database: Address
) -> None:
    """Neither the live database nor any other that is there is restored into."""
    manifest = await create(settings, target)
    before = await content(database)

    for name, said in ((database.database, "the live database"), ("postgres", "already")):
        with pytest.raises(BackupFailed, match=said):
            await restore(target, Programs(settings.postgres_bin), manifest, database, name)

    assert await content(database) == before


async def test_a_drill_tells_what_differs(
    settings: BackupSettings, target: Target, backup: CommandLine, database: Address
) -> None:
    """Rows that the manifest counts and the restored database lacks are named; exit code 1."""
    manifest = await create(settings, target)
    more = {**manifest.tables, "public.documents": ROWS + 1, "public.lost": 3}
    await write_note(target, manifest.name, MANIFEST, manifest.model_copy(update={"tables": more}))

    ended = await backup("drill")

    assert ended.code == 1
    assert f"after the restore, public.documents has {ROWS} rows and had {ROWS + 1}" in ended.out
    assert "after the migrations, there is no public.lost, which had 3 rows" in ended.out
    async with database.connect() as connection:
        left = await connection.execute("SELECT datname FROM pg_database WHERE datname ~ '_drill_'")
        ours = [name for (name,) in await left.fetchall() if name.startswith(database.database)]
    assert ours == []


async def test_a_drill_clears_what_a_killed_one_left(
    settings: BackupSettings, target: Target, database: Address
) -> None:
    """Its scratch database is dropped by the next, and nothing of a like name is."""
    await create(settings, target)
    left, others = f"{database.database}_drill_0123456789ab", f"{database.database}_drill_mine"
    async with database.connect() as connection:
        for name in (left, others):
            await connection.execute(f'CREATE DATABASE "{name}"')

    await drill(settings, target)

    async with database.connect() as connection:
        found = await connection.execute("SELECT datname FROM pg_database")
        names = {name for (name,) in await found.fetchall()}
    assert left not in names
    assert others in names
    await drop(database, others)


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "another"])
async def test_a_damaged_dump_is_found(
    settings: BackupSettings, target: Target, database: Address, backup: CommandLine, damage: str
) -> None:
    """A flipped bit, a missing end, an empty file, the dump of another day: each is told."""
    first = await create(settings, target)
    async with database.connect() as connection:
        await connection.execute("DELETE FROM documents")
    second = await create(settings, target)
    dump = b"".join([chunk async for chunk in target.read(second.name, DUMP)])
    flipped = bytearray(dump)
    flipped[len(dump) // 2] ^= 1
    other = b"".join([chunk async for chunk in target.read(first.name, DUMP)])

    async def damaged() -> AsyncIterator[bytes]:
        yield {"flipped": bytes(flipped), "cut": dump[:-1000], "another": other, "empty": b""}[
            damage
        ]

    await target.write(second.name, DUMP, damaged())

    ended = await backup("verify", second.name)
    listed = await backup("list", "--json")
    newest = await chosen(target, None)

    assert ended.code == 1
    assert "bad: " in ended.out
    assert '"good": false' in listed.out
    assert newest.name == first.name
    assert (await verify(target, Programs(settings.postgres_bin), newest)).flaw is None


async def test_a_damaged_dump_is_not_restored(
    settings: BackupSettings, target: Target, database: Address, scratch: str
) -> None:
    """A dump that pg_restore takes but that is not the manifest's own leaves no database."""
    manifest = await create(settings, target)
    other: Manifest = manifest.model_copy(update={"sha256": "0" * 64})

    with pytest.raises(BadBackup, match="not the one of its manifest"):
        await restore(target, Programs(settings.postgres_bin), other, database, scratch)

    with pytest.raises(BackupFailed, match="does not exist"):
        async with database.of(scratch).connect():
            pass


async def test_one_at_a_time(settings: BackupSettings, backup: CommandLine) -> None:
    """While one process makes a backup, another does nothing and says so; exit code 3."""
    async with turn(settings):
        ended = await backup("create")
        with pytest.raises(Busy):
            async with turn(settings):
                pass

    assert ended.code == 3
    assert re.fullmatch("error: another process is .+ at this moment\n", ended.error)


async def test_no_password_is_shown(settings: BackupSettings, database: Address) -> None:
    """Not in what a program is started with, and not in what is said when it fails."""
    password = str(database.url.password)
    assert password
    assert password not in database.conninfo()
    assert password not in repr(settings)
    assert password not in repr(database)


async def test_the_backups_are_listed(settings: BackupSettings, target: Target) -> None:
    """In the order of time, with what their manifests say; all is good at first."""
    made = [await create(settings, target) for _ in range(2)]

    found = await stored(target)

    assert [one.manifest for one in found] == sorted(made, key=lambda one: one.name)
    assert all(one.good for one in found)
    assert made[0].size_bytes > 0
    assert made[0].finished_at >= made[0].started_at
