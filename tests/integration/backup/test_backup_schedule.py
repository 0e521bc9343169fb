"""The schedule as a process: a backup when one is due, pruning, and metrics after a restart."""

import asyncio
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import httpx2
import pytest
from prometheus_client import REGISTRY

from bench.stack import free_port
from streams.backup.address import Address
from streams.backup.create import create
from streams.backup.drill import drill
from streams.backup.errors import BackupFailed
from streams.backup.manifest import DUMP, MANIFEST, Manifest, named, rehearsed_at
from streams.backup.prune import prune
from streams.backup.schedule import LOOK_EVERY, PRUNE_AGAIN, Schedule
from streams.backup.settings import BackupSettings
from streams.backup.target import Target, stored, write_note
from streams.backup.upkeep import look_after
from tests.integration.backup.conftest import CommandLine, Place


async def metrics(port: int) -> dict[str, float]:
    """What the schedule tells, once it has looked at the target."""
    async with httpx2.AsyncClient(trust_env=False) as client:
        while True:
            try:
                page = (await client.get(f"http://127.0.0.1:{port}/metrics")).text
            except httpx2.TransportError:
                page = ""
            lines = [line.rpartition(" ") for line in page.splitlines() if line[:1] != "#"]
            found = {name: float(value) for name, _, value in lines}
            if found.get("actionstream_backup_success_timestamp_seconds"):
                return found
            await asyncio.sleep(0.1)


def failures() -> float:
    """What this process has counted."""
    return REGISTRY.get_sample_value("actionstream_backup_failures_total") or 0


async def write(target: Target, name: str, dump: bytes) -> None:
    """Put a dump where a backup of this name has its own."""

    async def chunks() -> AsyncIterator[bytes]:
        yield dump

    await target.write(name, DUMP, chunks())


@pytest.mark.parametrize("place", ["folder"], indirect=True)
async def test_the_schedule_makes_one_and_tells_of_it(target: Target, backup: CommandLine) -> None:
    """Where there is none it makes one at once; after a restart it makes none and tells the same.

    SIGTERM ends it with exit code 0.
    """
    told = []
    for _ in range(2):
        port = free_port()
        process = await backup.start("schedule", ACTIONSTREAM_METRICS_PORT=str(port))
        told.append(await metrics(port))
        process.send_signal(signal.SIGTERM)
        out, error = await process.communicate()
        assert process.returncode == 0, error
        assert b"backup failed" not in out

    [made] = await stored(target)
    assert made.manifest is not None
    for found in told:
        assert found["actionstream_backup_success_timestamp_seconds"] == pytest.approx(
            made.manifest.finished_at.timestamp()
        )
        assert found["actionstream_backup_size_bytes"] == made.manifest.size_bytes
        assert found["actionstream_backup_duration_seconds"] == made.manifest.duration_s
        assert found['actionstream_backups{state="good"}'] == 1
        assert found["actionstream_backup_failures_total"] == 0


@pytest.mark.parametrize("place", ["folder"], indirect=True)
async def test_the_schedule_outlives_failures(place: Place, backup: CommandLine) -> None:
    """A server that refuses is counted and said, without the process ending."""
    port = free_port()
    process = await backup.start(
        "schedule", ACTIONSTREAM_METRICS_PORT=str(port), ACTIONSTREAM_POSTGRES_BIN="nowhere"
    )
    assert process.stdout is not None
    while b"backup failed" not in (line := await process.stdout.readline()):
        assert line
    assert process.returncode is None
    process.send_signal(signal.SIGTERM)
    await process.communicate()

    assert b"pg_dump is not in nowhere" in line
    assert process.returncode == 0


async def test_several_schedules_make_one(settings: BackupSettings, target: Target) -> None:
    """Whoever comes second makes none, whether it waits for its turn or not."""
    now = datetime.now(UTC)
    processes = [Schedule(settings) for _ in range(3)]
    await asyncio.gather(
        *(process.keep_up(target, now) for process in processes), return_exceptions=True
    )
    await Schedule(settings).keep_up(target, datetime.now(UTC))

    assert len(await stored(target)) == 1


async def aged(target: Target, manifest: Manifest, days: int) -> str:
    """Make a backup of that of a manifest so many days ago, in the place of it; its name."""
    then = datetime.now(UTC) - timedelta(days=days)
    name = named(then)
    await write(target, name, b"".join([each async for each in target.read(manifest.name, DUMP)]))
    moved = {"name": name, "started_at": then, "finished_at": then}
    await write_note(target, name, MANIFEST, manifest.model_copy(update=moved))
    await target.publish(name)
    await target.remove(manifest.name)
    return name


async def test_what_was_not_pruned_is_pruned_before_the_next_night(
    settings: BackupSettings, target: Target
) -> None:
    """Also where no backup is due, because the last one was made and pruning failed then."""
    for _ in range(2):
        await aged(target, await create(settings, target), 60)
    kept = await create(settings, target)

    few = settings.model_copy(update={"backup_keep_count": 1})
    left = await Schedule(few).keep_up(target, datetime.now(UTC))

    assert [one.name for one in left] == [kept.name]
    assert await stored(target) == left


async def test_backups_are_looked_after_once_a_week(
    settings: BackupSettings, target: Target
) -> None:
    """What was not read for a week is read, and a drill is held; the next night neither is."""
    old = await aged(target, await create(settings, target), 8)
    bad = await aged(target, await create(settings, target), 9)
    await write(target, bad, b"cut off")
    new = await create(settings, target)
    made = {one.name: one.checked_at for one in await stored(target)}

    await look_after(settings, target)

    found = {one.name: one for one in await stored(target)}
    assert found[bad].flaw is not None
    assert (found[old].flaw, found[new.name].flaw) == (None, None)
    assert found[new.name].checked_at == made[new.name]
    checked_at, rehearsal = found[old].checked_at, found[new.name].rehearsal
    assert checked_at is not None
    assert checked_at > datetime.now(UTC) - timedelta(hours=1)
    assert rehearsal is not None
    assert rehearsal.differences == []
    await look_after(settings, target)
    assert {one.name: one for one in await stored(target)} == found


@pytest.mark.parametrize("place", ["folder"], indirect=True)
async def test_a_drill_that_finds_differences_is_held_again(
    settings: BackupSettings, target: Target
) -> None:
    """It is counted, and does not stand for a good one; switched off, none is held."""
    manifest = await create(settings, target)
    more = manifest.model_copy(update={"tables": {**manifest.tables, "public.lost": 3}})
    await write_note(target, manifest.name, MANIFEST, more)
    await look_after(settings.model_copy(update={"backup_drill_days": 0}), target)
    [never] = await stored(target)
    await look_after(settings, target)
    [held] = await stored(target)
    assert never.rehearsal is None
    assert held.rehearsal is not None
    assert any("public.lost" in one for one in held.rehearsal.differences)
    assert rehearsed_at([held]) is None


@pytest.mark.parametrize("place", ["folder"], indirect=True)
async def test_a_backup_of_a_newer_release_ends_no_schedule(
    settings: BackupSettings, target: Target, database: Address
) -> None:
    """A drill says so in a sentence, and the nightly one counts it and leaves nothing behind."""
    async with database.connect() as connection:
        await connection.execute("UPDATE alembic_version SET version_num = 'of_next_year'")
    await create(settings, target)
    before = failures()

    await look_after(settings, target)
    with pytest.raises(BackupFailed, match=r"newer release than this one.*of_next_year"):
        await drill(settings, target)

    assert failures() == before + 1
    async with database.connect() as connection:
        query = "SELECT count(*) FROM pg_database WHERE datname LIKE %s"
        left = await connection.execute(query, [f"{database.database}_drill_%"])
        assert await left.fetchone() == (0,)


class Partly:
    """A target that cannot read one dump, and deletes nothing."""

    def __init__(self, target: Target, name: str, error: Exception) -> None:
        self._target = target
        self._name = name
        self._error = error
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        self.asked.append(name)
        return getattr(self._target, name)

    async def read(self, name: str, part: str) -> AsyncIterator[bytes]:
        """Yield what a part holds, but that one."""
        if (name, part) == (self._name, DUMP):
            raise self._error
        async for chunk in self._target.read(name, part):
            yield chunk

    async def remove(self, name: str) -> None:
        """Refuse."""
        self.asked.append("remove")
        raise BackupFailed(f"{name} is not to be deleted")


@pytest.mark.parametrize("place", ["folder"], indirect=True)
@pytest.mark.parametrize("error", [BackupFailed("refused"), ZeroDivisionError()], ids=str)
async def test_a_backup_that_cannot_be_read_keeps_nothing_from_being_done(
    settings: BackupSettings, target: Target, error: Exception
) -> None:
    """The one after it is read all the same, and a drill is held; also where nobody expected it."""
    first = await aged(target, await create(settings, target), 9)
    second = await aged(target, await create(settings, target), 8)
    newest = (await create(settings, target)).name
    before = failures()

    await look_after(settings, cast("Target", Partly(target, first, error)))

    found = {one.name: one for one in await stored(target)}
    read = {name for name, one in found.items() if one.verdict is not None}
    assert read == {second}
    assert found[newest].rehearsal is not None
    assert failures() == before + 1


@pytest.mark.parametrize("place", ["folder"], indirect=True)
async def test_what_may_not_be_deleted_is_tried_once_an_hour(
    settings: BackupSettings, target: Target
) -> None:
    """Each time it is a failure; the looks between read the target once, and are none."""
    await aged(target, await create(settings, target), 60)
    await create(settings, target)
    partly = Partly(target, "", BackupFailed("refused"))
    refusing = cast("Target", partly)
    now = datetime.now(UTC)
    # None is due in the next hours, whatever the time is.
    at = (now - timedelta(hours=1)).time().replace(second=0, microsecond=0)
    process = Schedule(settings.model_copy(update={"backup_keep_count": 1, "backup_at": at}))

    with pytest.raises(BackupFailed, match="not to be deleted"):
        await process.keep_up(refusing, now)
    partly.asked.clear()
    for look in range(1, PRUNE_AGAIN // LOOK_EVERY):
        assert len(await process.keep_up(refusing, now + look * LOOK_EVERY)) == 2
    assert partly.asked == ["names"] * (PRUNE_AGAIN // LOOK_EVERY - 1)
    with pytest.raises(BackupFailed, match="not to be deleted"):
        await process.keep_up(refusing, now + PRUNE_AGAIN)


async def test_pruning_keeps_one_that_is_really_good(
    settings: BackupSettings, target: Target
) -> None:
    """Before anything is deleted the newest is read; if it is bad, the one before it stays."""
    now = datetime.now(UTC)
    made = [await create(settings, target) for _ in range(3)]
    old = []
    for age, manifest in zip((60, 50, 40), made, strict=True):
        then = now - timedelta(days=age)
        old.append(named(then))
        dump = b"".join([chunk async for chunk in target.read(manifest.name, DUMP)])
        await write(target, old[-1], dump if age > 40 else dump[:-1])
        moved = {"name": old[-1], "started_at": then, "finished_at": then}
        await write_note(target, old[-1], MANIFEST, manifest.model_copy(update=moved))
        await target.publish(old[-1])
        await target.remove(manifest.name)

    done = await prune(settings.model_copy(update={"backup_keep_count": 1}), target)

    assert done.backups == [old[0], old[2]]
    assert [one.name for one in await stored(target)] == [old[1]]
