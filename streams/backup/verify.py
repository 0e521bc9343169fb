"""Reading a backup again: whether what is stored is what was dumped."""

from datetime import UTC, datetime

from streams.backup.digest import Digest
from streams.backup.errors import BadBackup, Missing
from streams.backup.manifest import DUMP, VERDICT, Backup, Manifest, Verdict
from streams.backup.programs import Programs
from streams.backup.target import Target, write_note


async def verify(target: Target, programs: Programs, backup: Backup) -> Verdict:
    """Read a dump from beginning to end, compare it with its manifest, and note what was found.

    Returns: what was found, which later decides over what is kept.

    Raises: BackupFailed: it could not be found out: the target does not answer, or there is no
        pg_restore.
    """
    manifest = backup.manifest
    flaw = backup.flaw if manifest is None else await flaw_of(target, programs, manifest)
    verdict = Verdict(checked_at=datetime.now(UTC), flaw=flaw)
    await write_note(target, backup.name, VERDICT, verdict)
    return verdict


async def flaw_of(target: Target, programs: Programs, manifest: Manifest) -> str | None:
    """Returns: what is wrong with the stored dump, in a sentence; None where nothing is.

    Raises: BackupFailed: it could not be found out.
    """
    digest = Digest()
    try:
        listing = await programs.listing(digest.of(target.read(manifest.name, DUMP)))
    except Missing:
        return "the dump is missing"
    except BadBackup as error:
        return str(error)
    if digest.size_bytes != manifest.size_bytes:
        return f"the dump has {digest.size_bytes} bytes and had {manifest.size_bytes}"
    if digest.sha256 != manifest.sha256:
        return "the dump's SHA-256 is not that of its manifest"
    lacking = [
        table
        for table in manifest.tables
        if f" TABLE DATA {table.replace('.', ' ', 1)} " not in listing
    ]
    return f"the dump has no rows of {', '.join(lacking)}" if lacking else None
