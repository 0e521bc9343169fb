"""One at a time: a hold on the database, which ends with the process that has it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy.exc import DBAPIError

from streams.backup import address
from streams.backup.errors import BackupFailed, Busy
from streams.backup.settings import BackupSettings
from streams.clients.postgres import Database
from streams.errors import Unavailable

MAKING: Final = "making or pruning backups"
DRILLING: Final = "holding a drill"


@asynccontextmanager
async def turn(settings: BackupSettings, doing: str = MAKING) -> AsyncIterator[None]:
    """Keep all others of this database from doing the same meanwhile.

    Raises: Busy: another one is at it. BackupFailed: Postgres is away or refuses.
    """
    url = address.of(settings).url.render_as_string(hide_password=False)
    database = Database.connect(url, pool=1)
    try:
        async with database.alone(doing) as held:
            if held is None:
                raise Busy(f"another process is {doing} at this moment")
            yield
    except (Unavailable, DBAPIError) as error:
        cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
        reason = (str(cause).strip().splitlines() or [type(cause).__name__])[0]
        raise BackupFailed(f"Postgres: {reason}") from error
    finally:
        await database.close()
