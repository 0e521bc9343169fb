"""Restoring a backup into a database of its own, never over one that is there."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import psycopg

from streams.backup.address import Address, named
from streams.backup.digest import Digest
from streams.backup.errors import BackupError, BackupFailed, BadBackup
from streams.backup.manifest import DUMP, Backup, Manifest, newest_good
from streams.backup.programs import Programs
from streams.backup.target import Target, stored

_MAINTENANCE = "postgres"
"""The database that one connects to in order to make another, as Postgres's own createdb does."""
_AMONG: Final = "SELECT key_id FROM api_keys WHERE key_id = ANY(%s)"
_REVOKE: Final = (
    "UPDATE api_keys SET revoked_at = clock_timestamp()"
    " WHERE revoked_at IS NULL AND key_id <> ALL(%s)"
)


async def chosen(target: Target, name: str | None) -> Backup:
    """Returns: the backup of this name, else the newest good one.

    Raises: BackupFailed: there is none.
    """
    backups = await stored(target)
    if name is None:
        found = newest_good(backups)
    else:
        found = next((one for one in backups if one.name == name), None)
    if found is None:
        wanted = "there is no good backup" if name is None else f"there is no backup {name}"
        raise BackupFailed(f"{wanted}; `actionstream backup list` shows what there is")
    return found


async def restore(
    target: Target, programs: Programs, manifest: Manifest, live: Address, into: str
) -> None:
    """Make a database and restore a backup into it.

    Args:
        target: where the backup is.
        programs: Postgres's.
        manifest: of the backup.
        live: the live database, on whose server the new one is made.
        into: name of the new one.

    Raises:
        BackupFailed: there is a database of this name, or restoring failed. Nothing is left.
        BadBackup: what was restored is not what was dumped. Nothing is left.
    """
    await _create(live, into)
    try:
        digest = Digest()
        try:
            chunks = digest.of(target.read(manifest.name, DUMP))
            await programs.restore(live.of(into), chunks)
        except BackupFailed as error:
            raise _with_remedy(error) from error
        if digest.sha256 != manifest.sha256:
            raise BadBackup(f"the dump of {manifest.name} is not the one of its manifest")
    except (BackupError, asyncio.CancelledError):
        with suppress(BackupError):
            await drop(live, into)
        raise


async def revoke_keys(live: Address, name: str, keep: Sequence[str]) -> int:
    """Revoke the keys in a restored database: which of them were ended since, it cannot know.

    Args:
        live: the live database.
        name: of the one that a restore has made.
        keep: ids of the keys that stay as they were.

    Returns: how many were revoked.

    Raises: BackupFailed: one to keep is not there, or Postgres refuses. The database is dropped.
    """
    try:
        async with live.of(name).connect() as connection:
            found = await connection.execute(_AMONG, [list(keep)])
            if lacking := sorted(set(keep) - {str(key_id) for (key_id,) in await found.fetchall()}):
                raise BackupFailed(f"the backup has no key {lacking[0]} to keep")
            return (await connection.execute(_REVOKE, [list(keep)])).rowcount
    except (BackupError, asyncio.CancelledError):
        with suppress(BackupError):
            await drop(live, name)
        raise


async def drop(live: Address, name: str) -> None:
    """Drop a database that a restore has made, whoever is connected to it. Raises: BackupFailed."""
    async with live.of(_MAINTENANCE).connect() as connection:
        await connection.execute(named("DROP DATABASE IF EXISTS {} WITH (FORCE)", name))


async def drop_matching(live: Address, pattern: str) -> None:
    """Drop the databases whose names match a regular expression, which a killed process left.

    Raises: BackupFailed.
    """
    async with live.of(_MAINTENANCE).connect() as connection:
        found = await connection.execute(
            "SELECT datname FROM pg_database WHERE datname ~ %s", [pattern]
        )
        for (name,) in await found.fetchall():
            await drop(live, str(name))


async def _create(live: Address, name: str) -> None:
    async with live.of(_MAINTENANCE).connect() as connection:
        try:
            await connection.execute(
                named("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'", name)
            )
        except psycopg.errors.DuplicateDatabase as error:
            which = "the live database" if name == live.database else "already a database"
            raise BackupFailed(
                f"{name} is {which}: name one that is not there, a restore overwrites nothing"
            ) from error


def _with_remedy(error: BackupFailed) -> BackupFailed:
    missing_role = 'role "' in str(error) and "does not exist" in str(error)
    remedy = "; `actionstream migrate` makes the roles of a new server" * missing_role
    return BackupFailed(f"{error}{remedy}")
