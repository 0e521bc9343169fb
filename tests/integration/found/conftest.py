"""A diary on real servers, beside the world of the stages."""

import pytest

from schemas.ids import Ids
from streams.clients.opensearch import SearchIndex
from streams.clients.postgres import Database
from streams.clients.s3 import ObjectStore
from streams.settings import Settings
from tests.integration.found.diary import Diary
from tests.integration.stages.conftest import World, search, store

__all__ = ["search", "store"]


@pytest.fixture
async def diary(
    settings: Settings, database: Database, store: ObjectStore, search: SearchIndex
) -> Diary:
    """A collection of each test's own."""
    ids = Ids(settings.id_secret.get_secret_value())
    made = Diary(
        World(settings, database, store, search, ids), name=f"diary-{ids.mint('col', 'x')[4:20]}"
    )
    await made.declare()
    return made
