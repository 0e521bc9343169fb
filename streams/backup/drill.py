"""The drill: restore a backup, migrate it, compare it with its manifest, and drop it again."""

import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final

from alembic import command
from alembic.util.exc import CommandError
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine

from streams import bootstrap
from streams.backup import address, contents
from streams.backup.address import Address
from streams.backup.errors import BackupFailed
from streams.backup.manifest import REHEARSAL, Manifest, Rehearsal
from streams.backup.programs import Programs
from streams.backup.restore import chosen, drop, drop_matching, restore
from streams.backup.settings import BackupSettings
from streams.backup.target import Target, write_note
from streams.backup.turn import DRILLING, turn

_LONGEST_STEM: Final = 40
"""Of the live database's name in the scratch one's; Postgres takes 63 bytes in all."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a drill found; `differences` are sentences, empty where the backup is as it was."""

    name: str
    tables: int
    rows: int
    restored_s: float
    migrated_s: float
    revision: str
    migrated_to: str | None
    differences: list[str]

    def to_json(self) -> dict[str, Any]:
        """Returns: the report for machines."""
        return asdict(self)


async def drill(settings: BackupSettings, target: Target, name: str | None = None) -> Report:
    """Restore a backup, the newest good one if none is named, and see what is in it.

    Rows are compared after the restore and again after the migrations, which may add tables and
    must not lose rows. What was found is noted beside the backup.

    Raises:
        BackupFailed: there is none, or it cannot be restored or migrated.
        BadBackup: what is stored is not what was dumped.
        Busy: another drill is held.
    """
    live = address.of(settings)
    manifest = (await chosen(target, name)).known()
    async with turn(settings, DRILLING):
        stem = f"{live.database[:_LONGEST_STEM]}_drill_"
        await drop_matching(live, f"^{re.escape(stem)}[0-9a-f]{{12}}$")
        scratch = f"{stem}{secrets.token_hex(6)}"
        report = await _drilled(settings, target, manifest, scratch)
        found = Rehearsal(held_at=datetime.now(UTC), differences=report.differences)
        await write_note(target, manifest.name, REHEARSAL, found)
        return report


async def _drilled(
    settings: BackupSettings, target: Target, manifest: Manifest, scratch: str
) -> Report:
    live = address.of(settings)
    began = time.monotonic()
    await restore(target, Programs(settings.postgres_bin), manifest, live, scratch)
    try:
        restored = time.monotonic()
        rows, _ = await _counted(live.of(scratch))
        differences = _differences(manifest.tables, rows, "after the restore")
        await _migrate(live.of(scratch))
        migrated = time.monotonic()
        rows, revision = await _counted(live.of(scratch))
        differences += _differences(manifest.tables, rows, "after the migrations")
    finally:
        await drop(live, scratch)
    return Report(
        name=manifest.name,
        tables=len(manifest.tables),
        rows=sum(manifest.tables.values()),
        restored_s=round(restored - began, 3),
        migrated_s=round(migrated - restored, 3),
        revision=manifest.revision,
        migrated_to=revision,
        differences=differences,
    )


async def _counted(scratch: Address) -> tuple[dict[str, int], str | None]:
    async with scratch.connect() as connection:
        rows = await contents.rows_by_table(connection)
        return rows, await contents.revision(connection)


def _differences(wanted: Mapping[str, int], found: Mapping[str, int], when: str) -> list[str]:
    return [
        f"{when}, {table} has {found[table]} rows and had {count}"
        if table in found
        else f"{when}, there is no {table}, which had {count} rows"
        for table, count in wanted.items()
        if found.get(table) != count
    ]


async def _migrate(scratch: Address) -> None:
    def upgrade(connection: Connection) -> None:
        command.upgrade(bootstrap.config(connection), "head")

    engine = create_async_engine(scratch.url, hide_parameters=True)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(upgrade)
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
        raise BackupFailed(f"the restored database cannot be migrated: {reason}") from error
    except CommandError as error:
        raise BackupFailed(f"the backup is of a newer release than this one: {error}") from error
    finally:
        await engine.dispose()
