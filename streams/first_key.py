"""The first key that administers, entered straight in the database: there is none to ask with.

Writes gpts and api_keys. Gateways that run find the key when it is first used.
"""

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from schemas import keys
from schemas.keys import Key
from schemas.tables import API_KEYS, GPTS
from schemas.tenants import ADMIN
from streams.settings import Settings


class NotEntered(Exception):
    """No key was made; the message says why and what to do."""


async def enter(settings: Settings, name: str, *, beside_others: bool) -> Key:
    """Make a key of the tenant `admin`. With `beside_others` there may be live ones already.

    Returns: the whole key, of which the database has only the hash.

    Raises:
        NotEntered: there is a live one already, or no pepper to hash a key under.
        sqlalchemy.exc.DBAPIError, OSError: Postgres is away or has no such tables.
    """
    if settings.key_pepper is None:
        raise NotEntered("set ACTIONSTREAM_KEY_PEPPER to what the gateways have")
    key = keys.mint(settings.key_env)
    url = settings.admin_database_url or settings.database_url
    engine = create_async_engine(url.get_secret_value(), hide_parameters=True)
    try:
        async with engine.begin() as connection:
            await _lock(connection)
            if not beside_others and (live := await _live(connection)):
                raise NotEntered(
                    f"there is a key that administers already ({live}): use it to make others by "
                    "`actionstream keys create admin --scope admin`; if it is lost, give --force"
                )
            hashed = key.hashed(settings.key_pepper.get_secret_value())
            entry = insert(API_KEYS).values(
                key_id=key.key_id, gpt_id=ADMIN, name=name, scopes=["admin"], hash=hashed
            )
            await connection.execute(entry)
    finally:
        await engine.dispose()
    return key


async def _lock(connection: AsyncConnection) -> None:
    """Have the tenant `admin`, and be the only one to change its keys."""
    seed = insert(GPTS).values(gpt_id=ADMIN, name=ADMIN)
    await connection.execute(seed.on_conflict_do_nothing())
    row = select(GPTS.c.gpt_id).where(GPTS.c.gpt_id == ADMIN)
    await connection.execute(row.with_for_update())


async def _live(connection: AsyncConnection) -> str | None:
    columns = API_KEYS.c
    ends = columns.expires_at
    query = (
        select(columns.key_id)
        .where(columns.gpt_id == ADMIN, columns.revoked_at.is_(None))
        .where(ends.is_(None) | (ends > func.now()))
        .order_by(columns.created_at)
        .limit(1)
    )
    found: str | None = (await connection.execute(query)).scalar_one_or_none()
    return found
