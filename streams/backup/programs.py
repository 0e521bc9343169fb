"""pg_dump and pg_restore: their content comes and goes as a stream, their complaints as a sentence.

Neither is ever shown a password on its command line, and nothing that they say of rows is repeated.
"""

import asyncio
import re
import shutil
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from streams.backup.address import Address
from streams.backup.contents import UNKEPT_SCHEMA
from streams.backup.errors import BackupFailed, BadBackup

P = TypeVar("P")

CHUNK_BYTES: Final = 256 * 1024
_LOCK_WAIT: Final = "60s"
_COMPLAINTS_BYTES: Final = 16 * 1024
_VERSION: Final = re.compile(r"\(PostgreSQL\) (\S+)")
_MAJOR: Final = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Programs:
    """The programs in a folder, or on the PATH."""

    folder: Path | None = None

    async def version(self, server_version: str) -> str:
        """Returns: the version of pg_dump.

        Raises: BackupFailed: a program is missing, or older than the server.
        """
        async with self._started("pg_dump", "--version", stdout=PIPE) as child:
            said = (await _pipe(child.stdout).read()).decode(errors="replace")
            await child.wait()
        self._found("pg_restore")
        named = _VERSION.search(said)
        found = named[1] if named else "of no known version"
        if _major(found) < _major(server_version):
            where = f"in {self.folder}" if self.folder else "on the PATH"
            raise BackupFailed(
                f"pg_dump {where} is {found} and the server is {server_version}: set "
                "ACTIONSTREAM_POSTGRES_BIN to the folder of programs at least as new as the server"
            )
        return found

    @asynccontextmanager
    async def dump(self, address: Address, snapshot_id: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """Yield the bytes of a dump (custom format) of what a snapshot holds.

        Only who reads to the end knows that it is whole: if pg_dump fails, the stream raises.

        Raises: BackupFailed: pg_dump cannot be started or failed.
        """
        arguments = (
            "--format=custom",
            f"--snapshot={snapshot_id}",
            f"--lock-wait-timeout={_LOCK_WAIT}",
            "--no-unlogged-table-data",
            f"--exclude-table-data={UNKEPT_SCHEMA}.*",
            f"--dbname={address.conninfo()}",
        )
        async with (
            self._started("pg_dump", *arguments, stdout=PIPE, env=address.secrets()) as child,
            _meanwhile(_beginning(child)) as complaints,
        ):
            yield _checked(child, complaints)

    async def listing(self, chunks: AsyncIterator[bytes]) -> str:
        """Let pg_restore read the table of contents of a dump; reads `chunks` to their end.

        Returns: its lines, as `3501; 0 16385 TABLE DATA public documents postgres`.

        Raises:
            BadBackup: pg_restore cannot read it.
            BackupFailed: pg_restore cannot be started.
        """
        async with (
            self._started("pg_restore", "--list", stdin=PIPE, stdout=PIPE) as child,
            _meanwhile(_beginning(child)) as complaints,
            _meanwhile(_pipe(child.stdout).read()) as lines,
        ):
            await _feed(child, chunks)
            await _drain(chunks)
            try:
                await _ended("pg_restore", child, complaints)
            except BackupFailed as error:
                raise BadBackup(str(error)) from error
            return (await lines).decode(errors="replace")

    async def restore(self, address: Address, chunks: AsyncIterator[bytes]) -> None:
        """Restore a dump into an empty database; reads `chunks` to their end.

        Raises: BackupFailed: pg_restore cannot be started or failed.
        """
        arguments = ("--exit-on-error", "--no-owner", f"--dbname={address.conninfo()}")
        async with (
            self._started(
                "pg_restore", *arguments, stdin=PIPE, stdout=DEVNULL, env=address.secrets()
            ) as child,
            _meanwhile(_beginning(child)) as complaints,
        ):
            await _feed(child, chunks)
            await _ended("pg_restore", child, complaints)
            await _drain(chunks)

    @asynccontextmanager
    async def _started(
        self,
        name: str,
        *arguments: str,
        stdout: int,
        stdin: int = DEVNULL,
        env: Mapping[str, str] | None = None,
    ) -> AsyncIterator[Process]:
        """Yield the program; on leaving it has ended, by force if need be."""
        child = await asyncio.create_subprocess_exec(
            self._found(name),
            *arguments,
            stdin=stdin,
            stdout=stdout,
            stderr=PIPE,
            # Nothing is inherited: what Postgres is to know stands in the address.
            env={"LC_ALL": "C.UTF-8", **(env or {})},
            limit=CHUNK_BYTES,
        )
        try:
            yield child
        finally:
            if child.returncode is None:
                with suppress(ProcessLookupError):
                    child.kill()
                # Its end is noticed only once nothing is left in the pipe.
                while child.stdout is not None and await child.stdout.read(CHUNK_BYTES):
                    pass
                await child.wait()

    def _found(self, name: str) -> str:
        path = None if self.folder is None else str(self.folder)
        found = shutil.which(name, path=path)
        if found is None:
            where = f"in {path}" if path else "on the PATH"
            raise BackupFailed(
                f"{name} is not {where}: install Postgres's client programs, or set "
                "ACTIONSTREAM_POSTGRES_BIN to their folder"
            )
        return found


@asynccontextmanager
async def _meanwhile(reading: Coroutine[Any, Any, bytes]) -> AsyncIterator[asyncio.Future[bytes]]:
    """Yield what will be read; it is given up on leaving."""
    task = asyncio.ensure_future(reading)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait({task})


async def _checked(child: Process, complaints: asyncio.Future[bytes]) -> AsyncIterator[bytes]:
    stdout = _pipe(child.stdout)
    while chunk := await stdout.read(CHUNK_BYTES):
        yield chunk
    await _ended("pg_dump", child, complaints)


async def _feed(child: Process, chunks: AsyncIterator[bytes]) -> None:
    """Hand chunks to the program, until there are no more or it wants no more."""
    stdin = _pipe(child.stdin)
    with suppress(BrokenPipeError, ConnectionResetError):
        async for chunk in chunks:
            stdin.write(chunk)
            await stdin.drain()
    stdin.close()
    with suppress(BrokenPipeError, ConnectionResetError):
        await stdin.wait_closed()


async def _drain(chunks: AsyncIterator[bytes]) -> None:
    """Read what the program did not want, because whoever hashes the stream wants all of it."""
    async for _ in chunks:
        pass


async def _ended(name: str, child: Process, complaints: asyncio.Future[bytes]) -> None:
    """Raises: BackupFailed: the program failed."""
    said = await complaints
    if code := await child.wait():
        raise BackupFailed(f"{name} failed ({code}): {_reason(name, said)}")


def _reason(name: str, said: bytes) -> str:
    """Returns: the first complaint, and nothing of the details below it, which may show rows."""
    mark = f"{name}: error: "
    lines = said.decode(errors="replace").splitlines()
    first: Sequence[str] = [line for line in lines if line.startswith(mark)] or lines or [""]
    return first[0].removeprefix(mark) or "it said nothing"


async def _beginning(child: Process) -> bytes:
    """Returns: the beginning of what it complains of; the rest is read and forgotten."""
    stderr = _pipe(child.stderr)
    kept = b""
    while chunk := await stderr.read(CHUNK_BYTES):
        kept += chunk[: _COMPLAINTS_BYTES - len(kept)]
    return kept


def _pipe(pipe: P | None) -> P:
    if pipe is None:
        message = "the program was started without this pipe"
        raise ValueError(message)
    return pipe


def _major(version: str) -> int:
    found = _MAJOR.match(version)
    return int(found[0]) if found else 0
