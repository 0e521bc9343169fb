"""What a rebuild does about settings, and about an index that is to stay or is not there."""

import pytest

from schemas.indexes import Vectors
from streams.rebuild.run import RebuildRefused
from tests.integration.reindex.conftest import OTHER, Library


async def test_the_old_index_may_be_kept(library: Library) -> None:
    """It stays, and nothing is written to it any more."""
    await library.add(1)
    old = await library.live()

    name = await library.reindex().run(keep=True)
    before = await library.held(old)
    await library.add(1)

    assert await library.live() == name
    assert await library.held(old) == before
    await library.search.drop(old)


async def test_settings_of_another_model_leave_the_live_index(library: Library) -> None:
    """Preparing the servers makes no empty index; the workers go on with the live one's model."""
    live, names = await library.live(), await library.search.names()

    assert await library.search.prepare(OTHER.model, OTHER.dimensions) == live

    assert await library.search.names() == names
    await library.add(1)
    await library.agrees(live, library.same)


async def test_a_model_of_another_length_than_set(library: Library) -> None:
    """The command says which length to set, and begins nothing."""
    wrong = Vectors(OTHER.model, OTHER.dimensions + 1)
    with pytest.raises(RebuildRefused, match="ACTIONSTREAM_EMBEDDING_DIMENSIONS=8"):
        await library.reindex(wanted=wrong).run()

    assert await library.reindex().abort() is None


async def test_without_a_live_index_nothing_is_begun(library: Library) -> None:
    """All indexes were lost: it is refused, and the index that is made next is never dropped."""
    await library.search.drop(await library.live())
    for _ in range(2):
        with pytest.raises(RebuildRefused, match="no index is live"):
            await library.reindex().run()
    settings = library.settings
    await library.search.prepare(settings.embedding_model, settings.embedding_dimensions)
    made = await library.live()

    await library.reindex().run(keep=True)

    assert made in await library.search.names()
    assert await library.live() != made
