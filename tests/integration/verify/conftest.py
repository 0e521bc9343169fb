"""An installation whose stores agree, and a verification of it that does not wait."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from sqlalchemy.sql.base import Executable

from schemas.ids import Ids
from streams.clients import s3
from streams.clients.opensearch import SearchIndex
from streams.clients.postgres import Database
from streams.settings import Settings
from streams.stage import Record
from streams.verify import Difference, Kind, Pace, found_in
from streams.verify.flow import Flow
from streams.verify.repair import Repair
from streams.verify.stores import Stores
from tests.integration.conftest import installation
from tests.integration.stages.conftest import World
from tests.integration.verify.kafka import Topics

AT_ONCE = Pace(margin=timedelta(0), patience=timedelta(0), pause_s=0)


@dataclass
class Verified:
    """The world of the stages with what compares and mends it."""

    world: World
    stores: Stores
    names: list[str] = field(default_factory=list)

    async def differences(self) -> list[Difference]:
        """What a verification finds, once the index shows all that was written to it."""
        search = self.world.search
        await search._client.indices.refresh(index=search.alias)
        return [each async for each in found_in(self.stores, AT_ONCE)]

    async def found(self) -> set[tuple[Kind, str]]:
        """The kinds and subjects of what is certain."""
        return {each.key for each in await self.differences() if each.certain}

    async def repair(self) -> list[Difference]:
        """Repair once, and let the stages work off what that published."""
        self.names.append(f"repair-{len(self.names)}")
        publisher = self.world.publisher
        before = len(publisher.records)
        repair = Repair(self.stores, publisher, name=self.names[-1])
        found = [await repair.mend(each) for each in await self.differences()]
        published: list[Record] = publisher.records[before:]
        await self.world.follow([each for each in published if each.topic != "events"])
        return found

    async def does(self, *statements: Executable) -> None:
        """Change the database behind everyone's back."""
        async with self.world.database.transaction() as connection:
            for statement in statements:
                await connection.execute(statement)


@pytest.fixture(scope="session")
def own_settings() -> Settings:
    """An installation for this folder alone, because a verification looks at everything."""
    return installation()


@pytest.fixture(scope="session")
async def apart(own_settings: Settings) -> AsyncIterator[Verified]:
    """The servers' side of it, and the stages."""
    settings = own_settings
    database = Database.connect(settings.database_url.get_secret_value(), pool=5)
    search = SearchIndex.connect(settings)
    ids = Ids(settings.id_secret.get_secret_value())
    async with s3.connect(settings) as store:
        world = World(settings, database, store, search, ids)
        flow = Flow(settings)
        yield Verified(world, Stores(database, store, search, flow, ids, AT_ONCE.margin))
    await search.close()
    await database.close()


@pytest.fixture
async def verified(apart: Verified) -> AsyncIterator[Verified]:
    """The installation, which each test leaves clean to the next."""
    yield apart
    assert await apart.differences() == []


@pytest.fixture
def topics(own_settings: Settings) -> Topics:
    """The installation's topics."""
    return Topics(own_settings)
