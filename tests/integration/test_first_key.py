"""The first key that administers, made with the database alone."""

import asyncio
import uuid

import pytest
from sqlalchemy import Row, select, text, update
from sqlalchemy.ext.asyncio import create_async_engine

from cli.bootstrapping import bootstrap
from cli.errors import Failure
from schemas import keys
from schemas.tables import API_KEYS
from schemas.tenants import ADMIN
from streams import bootstrap as preparing
from streams import first_key
from streams.clients.postgres import Database
from streams.settings import Settings
from tests.integration.conftest import _create_database, _named


@pytest.fixture
async def empty(settings: Settings) -> Settings:
    """A migrated database of the test's own, without any key."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    assert settings.admin_database_url is not None
    await _create_database(settings.admin_database_url.get_secret_value(), name)
    urls = {
        field: type(url)(_named(url.get_secret_value(), name))
        for field in ("admin_database_url", "database_url")
        if (url := getattr(settings, field)) is not None
    }
    own = settings.model_copy(
        update={**urls, "gateway_database_url": None, "api_key": None, "admin_key": None}
    )
    await preparing.migrate(own)
    return own


async def rows(settings: Settings) -> list[Row[tuple[str, list[str], bytes]]]:
    database = Database.connect(settings.database_url.get_secret_value(), pool=1)
    query = select(API_KEYS.c.key_id, API_KEYS.c.scopes, API_KEYS.c.hash)
    async with database.transaction() as connection:
        found = (await connection.execute(query.where(API_KEYS.c.gpt_id == ADMIN))).all()
    await database.close()
    return list(found)


async def test_it_is_printed_once_and_hashed(
    empty: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """Stdout has the key and nothing else; the database has its hash under the pepper."""
    await bootstrap(empty, "me", force=False)
    said = capsys.readouterr()
    key = keys.parse(said.out.strip())
    assert "shown this once" in said.err
    assert key.secret not in said.err
    [(key_id, scopes, hashed)] = await rows(empty)
    assert empty.key_pepper is not None
    assert (key_id, scopes) == (key.key_id, ["admin"])
    assert key.is_hashed_as(hashed, empty.key_pepper.get_secret_value())


async def test_there_is_one_first_key(empty: Settings) -> None:
    """Of several that are asked for at once, one is made; another needs --force, or none live."""
    made = await asyncio.gather(
        *(first_key.enter(empty, "me", beside_others=False) for _ in range(4)),
        return_exceptions=True,
    )
    assert sum(isinstance(each, keys.Key) for each in made) == 1
    assert sum(isinstance(each, first_key.NotEntered) for each in made) == 3
    with pytest.raises(Failure, match="there is a key that administers already"):
        await bootstrap(empty, "me", force=False)
    await bootstrap(empty, "me", force=True)
    assert len(await rows(empty)) == 2


async def test_after_the_last_one_ended_there_is_a_first_one_again(empty: Settings) -> None:
    """Revoked and expired keys do not count."""
    first, second = [await first_key.enter(empty, "me", beside_others=True) for _ in range(2)]
    engine = create_async_engine(empty.database_url.get_secret_value())
    async with engine.begin() as connection:
        ended = update(API_KEYS).where(API_KEYS.c.key_id == first.key_id)
        await connection.execute(ended.values(revoked_at=text("now()")))
        ended = update(API_KEYS).where(API_KEYS.c.key_id == second.key_id)
        await connection.execute(ended.values(expires_at=text("now()")))
    await engine.dispose()
    third = await first_key.enter(empty, "me", beside_others=False)
    assert third.key_id in {row.key_id for row in await rows(empty)}


async def test_it_serves_the_workers_own_role(empty: Settings) -> None:
    """The rights of a worker suffice; the administrator's address is not needed."""
    own = empty.model_copy(update={"admin_database_url": None})
    key = await first_key.enter(own, "me", beside_others=False)
    assert [row.key_id for row in await rows(empty)] == [key.key_id]


async def test_what_is_missing_is_said(empty: Settings, settings: Settings) -> None:
    """The pepper, the tables, the server: each in a sentence that says what to do."""
    with pytest.raises(Failure, match="set ACTIONSTREAM_KEY_PEPPER"):
        await bootstrap(empty.model_copy(update={"key_pepper": None}), "me", force=False)
    url = type(settings.database_url)
    tableless = _named(settings.database_url.get_secret_value(), "postgres")
    other = {"admin_database_url": None, "database_url": url(tableless)}
    with pytest.raises(Failure, match=r"Postgres refuses: .*gpts"):
        await bootstrap(empty.model_copy(update=other), "me", force=False)
    nowhere = url("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    away = {"admin_database_url": None, "database_url": nowhere}
    with pytest.raises(Failure, match="Postgres did not answer"):
        await bootstrap(empty.model_copy(update=away), "me", force=False)
