"""The first tenants and keys come from the settings, and may be entered again and again."""

from datetime import UTC, datetime

import pytest
from pydantic import SecretStr
from sqlalchemy import select, update

from schemas import keys
from schemas.tables import API_KEYS, GPTS
from schemas.tenants import ADMIN
from streams import bootstrap
from streams.clients.postgres import Database
from streams.seeds import UnusableKey
from streams.settings import Settings


async def test_keys_of_the_settings_are_entered(settings: Settings, database: Database) -> None:
    """One reads and writes in the first tenant, one administers; only hashes are stored."""
    assert settings.api_key is not None
    assert settings.admin_key is not None
    assert settings.key_pepper is not None
    pepper = settings.key_pepper.get_secret_value()
    for text, gpt_id, scopes in (
        (settings.api_key, settings.gpt_id, ["read", "write"]),
        (settings.admin_key, ADMIN, ["admin"]),
    ):
        key = keys.parse(text.get_secret_value())
        async with database.transaction() as connection:
            query = select(API_KEYS).where(API_KEYS.c.key_id == key.key_id)
            row = (await connection.execute(query)).one()
            tenant = select(GPTS.c.gpt_id).where(GPTS.c.gpt_id == gpt_id)
            assert (await connection.execute(tenant)).one()
        assert (row.gpt_id, row.scopes, row.hash) == (gpt_id, scopes, key.hashed(pepper))
        assert key.secret not in str(row)


async def test_entering_again_changes_the_hash_only(settings: Settings, database: Database) -> None:
    """A new pepper is taken up; a revocation stands, and a key stays with its tenant."""
    key = keys.mint("test")
    mine = settings.model_copy(update={"api_key": SecretStr(str(key))})
    await bootstrap.migrate(mine)
    this = API_KEYS.c.key_id == key.key_id
    revoked_at = datetime.now(UTC)
    async with database.transaction() as connection:
        await connection.execute(update(API_KEYS).where(this).values(revoked_at=revoked_at))
    pepper = "another pepper of thirty-two characters"
    await bootstrap.migrate(mine.model_copy(update={"key_pepper": SecretStr(pepper)}))
    moved = {"gpt_id": "elsewhere", "key_pepper": SecretStr(pepper * 2)}
    await bootstrap.migrate(mine.model_copy(update=moved))
    async with database.transaction() as connection:
        row = (await connection.execute(select(API_KEYS).where(this))).one()
    found = (row.hash, row.revoked_at, row.gpt_id)
    assert found == (key.hashed(pepper), revoked_at, settings.gpt_id)
    # The keys of all other tests are under the session's own pepper.
    await bootstrap.migrate(settings)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"key_pepper": None}, "ACTIONSTREAM_KEY_PEPPER"),
        ({"api_key": SecretStr("0" * 48)}, "ACTIONSTREAM_API_KEY is no key"),
        ({"admin_key": SecretStr("admin")}, "ACTIONSTREAM_ADMIN_KEY is no key"),
    ],
)
async def test_a_key_that_cannot_be_entered_is_named(
    settings: Settings, change: dict[str, SecretStr | None], said: str
) -> None:
    """`migrate` says which setting is wrong, and not what it holds."""
    with pytest.raises(UnusableKey, match=said) as caught:
        await bootstrap.migrate(settings.model_copy(update=change))
    assert "000" not in str(caught.value)
