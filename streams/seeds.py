"""The first tenants and their keys, as the settings name them; only hashes of keys are stored.

Writes gpts and api_keys. May be repeated: a key that is there keeps its revocation, and gets the
hash of the present pepper.
"""

from pydantic import SecretStr
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import keys
from schemas.tables import API_KEYS, GPTS
from schemas.tenants import ADMIN
from streams.settings import Settings

_NAME = "from the settings"


class UnusableKey(Exception):
    """A key in the settings cannot be entered; the message says which and why."""


async def sow(connection: AsyncConnection, settings: Settings) -> None:
    """Enter the tenants `gpt_id` and `admin`, and the keys that the settings have for them.

    Raises:
        UnusableKey: one of them is no key, or there is no pepper to hash it under.
    """
    for gpt_id in (settings.gpt_id, ADMIN):
        seed = insert(GPTS).values(gpt_id=gpt_id, name=gpt_id)
        await connection.execute(seed.on_conflict_do_nothing())
    if settings.api_key is not None:
        await _enter(
            connection,
            "ACTIONSTREAM_API_KEY",
            settings.api_key,
            settings.key_pepper,
            gpt_id=settings.gpt_id,
            scopes=["read", "write"],
            rate_limits=settings.api_key_rate_limits,
        )
    if settings.admin_key is not None:
        await _enter(
            connection,
            "ACTIONSTREAM_ADMIN_KEY",
            settings.admin_key,
            settings.key_pepper,
            gpt_id=ADMIN,
            scopes=["admin"],
        )


async def _enter(
    connection: AsyncConnection,
    variable: str,
    text: SecretStr,
    pepper: SecretStr | None,
    **values: object,
) -> None:
    if pepper is None:
        raise UnusableKey(f"{variable} is hashed under ACTIONSTREAM_KEY_PEPPER: set that too")
    try:
        key = keys.parse(text.get_secret_value())
    except keys.NotAKey as error:
        raise UnusableKey(
            f"{variable} is no key: {error}; make one with `actionstream keys`, or leave it out"
        ) from None
    entered = insert(API_KEYS).values(
        key_id=key.key_id, name=_NAME, hash=key.hashed(pepper.get_secret_value()), **values
    )
    again = {name: entered.excluded[name] for name in ("hash", "scopes", "rate_limits")}
    await connection.execute(
        entered.on_conflict_do_update(
            index_elements=["key_id"],
            set_=again,
            where=API_KEYS.c.gpt_id == entered.excluded.gpt_id,
        )
    )
