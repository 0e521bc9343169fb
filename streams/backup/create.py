"""Making a backup: dump and counts of one snapshot, read back, and the manifest last."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version

from streams.backup import address, contents
from streams.backup.digest import Digest
from streams.backup.errors import BackupError, BackupFailed, BadBackup
from streams.backup.manifest import DUMP, MANIFEST, Manifest, named
from streams.backup.programs import Programs
from streams.backup.settings import BackupSettings
from streams.backup.target import Target, write_note
from streams.backup.verify import flaw_of


async def create(settings: BackupSettings, target: Target) -> Manifest:
    """Make a backup of the live database; whoever calls holds the turn.

    Returns: what it holds. It exists, was read back, and is what was dumped.

    Raises:
        BackupFailed: it could not be made; nothing of it is left, unless the target is away.
        BadBackup: what was read back is not what was written; likewise.
    """
    name = named(datetime.now(UTC))
    try:
        return await _made(settings, target, name)
    except (BackupError, asyncio.CancelledError):
        # What stays because the target is away now is no backup, and pruned a day later.
        with suppress(BackupError):
            await target.remove(name)
        raise


async def _made(settings: BackupSettings, target: Target, name: str) -> Manifest:
    began = datetime.now(UTC)
    live = address.of(settings)
    programs = Programs(settings.postgres_bin)
    digest = Digest()
    async with contents.snapshot(live) as moment:
        dump_version = await programs.version(moment.server_version)
        tables = await contents.rows_by_table(moment.connection)
        revision = await contents.revision(moment.connection)
        if revision is None:
            # Or the backups of a wrong address would in time take the place of the right ones.
            raise BackupFailed(
                f"the database {live.database} has no tables of this product: check "
                "ACTIONSTREAM_ADMIN_DATABASE_URL, or run `actionstream migrate`"
            )
        async with programs.dump(live, moment.snapshot_id) as chunks:
            await target.write(name, DUMP, digest.of(chunks))
    draft = Manifest(
        name=name,
        database=live.database,
        started_at=began,
        finished_at=began,
        size_bytes=digest.size_bytes,
        sha256=digest.sha256,
        tables=tables,
        revision=revision,
        product_version=version("actionstream"),
        server_version=moment.server_version,
        dump_version=dump_version,
    )
    flaw = await flaw_of(target, programs, draft)
    if flaw is not None:
        raise BadBackup(f"the backup is no good: {flaw}")
    manifest = draft.model_copy(update={"finished_at": datetime.now(UTC)})
    await write_note(target, name, MANIFEST, manifest)
    await target.publish(name)
    return manifest
