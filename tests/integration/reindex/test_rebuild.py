"""A rebuild of the index while documents come, change and go, and while it is killed."""

import asyncio
import os
import random
import sys
from collections.abc import Sequence
from typing import Any

import pytest

from schemas.indexes import index_name, revision_of
from schemas.states import RebuildState
from streams.rebuild.run import RebuildRefused
from tests.integration.reindex.conftest import OTHER, Killed, Library, Watched, delete, long
from tests.integration.stages.conftest import parsed


async def test_a_rebuild_with_the_same_model(library: Library) -> None:
    """The next revision is live, has all that the old one had, and the old one is gone."""
    await library.add(5, pages=2)
    old = await library.live()
    before = await library.held(old)

    name = await library.reindex().run()

    assert await library.live() == name != old
    assert await library.held(name) == before
    assert old not in await library.search.names()
    assert await library.state_of(name) == RebuildState.DONE
    assert await library.search.vectors(name) == library.same


async def test_documents_that_come_change_and_go_meanwhile(library: Library) -> None:
    """The new index holds exactly the current chunks of each document at its version."""
    await library.add(12, pages=2)
    chance = random.Random(3)
    finished = asyncio.Event()

    async def disturb() -> int:
        world, steps = library.world(), 0
        while not finished.is_set() or steps < 8:
            steps += 1
            mine = chance.choice(library.made)
            world.parser.parts = {1: parsed(*long(chance.randint(1, 3), f"step {steps}"))}
            match steps % 4:
                case 0:
                    library.made.append(await world.take_in(title=f"New {steps}"))
                case 1:
                    await world.follow(await world.amend(mine, title=f"Changed {steps}"))
                case 2:
                    await world.follow(await world.reprocess(mine))
                case _ if len(library.made) > 4:
                    library.made.remove(mine)
                    await delete(world, mine)
        return steps

    disturbed = [asyncio.create_task(disturb()) for _ in range(3)]
    name = await library.reindex().run()
    finished.set()
    await asyncio.gather(*disturbed)

    assert await library.live() == name
    await library.agrees(name, library.same)


@pytest.mark.parametrize("kill_at", range(1, 12))
async def test_killed_and_resumed(library: Library, kill_at: int) -> None:
    """Wherever it ends, what happens meanwhile is not lost, and the next call goes on."""
    first, second, *_ = await library.add(4)
    world = library.world()
    with pytest.raises(Killed):
        await library.reindex(Watched(kill_at), page=2).run()
    await delete(world, first)
    await world.follow(await world.amend(second, title="Changed while it was dead"))
    await library.add(1)

    name = await library.reindex(page=2).run()

    assert await library.live() == name
    await library.agrees(name, library.same)


async def test_a_process_that_is_killed_leaves_nothing_in_the_way(library: Library) -> None:
    """After a kill -9 the next call goes on at once, behind the documents that were passed."""
    await library.add(6)
    own = {
        f"ACTIONSTREAM_{name}".upper(): getattr(library.settings, name)
        for name in ("index_prefix", "topic_prefix", "s3_bucket")
    }
    url = library.settings.database_url.get_secret_value()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.fakes.rebuild"),
        # The servers' addresses are inherited, the names on them are this installation's.
        env={**os.environ, **own, "ACTIONSTREAM_DATABASE_URL": url},  # noqa: TID251
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    while not (await process.stdout.readline()).startswith(b"building 3 "):
        assert process.returncode is None
    process.kill()
    await process.wait()
    watched = Watched()

    while True:
        try:
            name = await library.reindex(watched).run()
        except RebuildRefused:
            continue  # Postgres has yet to notice that the other one is dead.
        break

    assert watched.said[0].startswith("going on")
    assert not any(line.startswith("building 3 ") for line in watched.said)
    await library.agrees(name, library.same)


async def test_two_at_once(library: Library) -> None:
    """The second one is refused and disturbs nothing; so is giving up what is at work."""
    await library.add(2)
    begun, go_on = asyncio.Event(), asyncio.Event()
    models = library.world().models
    embed = models.embed

    async def slowly(texts: Sequence[str], **how: Any) -> list[list[float]]:
        begun.set()
        await go_on.wait()
        return await embed(texts, **how)

    models.embed = slowly  # type: ignore[method-assign]
    running = asyncio.create_task(library.reindex(models=models).run())
    await begun.wait()
    with pytest.raises(RebuildRefused, match="another"):
        await library.reindex().run()
    with pytest.raises(RebuildRefused, match="another"):
        await library.reindex().abort()
    go_on.set()

    assert await running == await library.live()
    await library.agrees(await library.live(), library.same)


async def test_another_model_of_another_dimension(library: Library) -> None:
    """Until the swap the old model's vectors go to the old index, then the new one's to the new."""
    await library.add(3)
    old = await library.live()
    world = library.world()
    seen: dict[bool, Any] = {}

    class Meanwhile(Watched):
        def say(self, line: str) -> None:
            super().say(line)
            if line.startswith("building 3 "):
                raise Killed

    with pytest.raises(Killed):
        await library.reindex(Meanwhile(), OTHER).run()
    document_id = await world.take_in(title="In between")
    for name in await library.search.names():
        entries = await library.held(name)
        [entry] = [one for key, one in entries.items() if key.startswith(document_id)]
        seen[name == old] = entry["embedding_model"], len(entry["embedding"])
    with pytest.raises(RebuildRefused, match="--abort"):
        await library.reindex().run()
    name = await library.reindex(wanted=OTHER).run()
    await library.add(1)

    assert seen == {
        True: (library.same.model, library.same.dimensions),
        False: (OTHER.model, OTHER.dimensions),
    }
    assert name.endswith(index_name(OTHER.model, OTHER.dimensions, revision_of(old) + 1))
    await library.agrees(name, OTHER)
    await library.reindex().run()
    await library.agrees(await library.live(), library.same)


async def test_a_worker_that_sleeps_through_it_all(library: Library) -> None:
    """It wakes before an index that is gone, and writes to the one that took its place."""
    await library.add(1)
    world = library.world()
    late = await library.read("late")
    asleep, wake = asyncio.Event(), asyncio.Event()
    embed = world.models.embed

    async def sleepily(texts: Sequence[str], **how: Any) -> list[list[float]]:
        vectors = await embed(texts, **how)
        asleep.set()
        await wake.wait()
        return vectors

    world.models.embed = sleepily  # type: ignore[method-assign]
    writing = asyncio.create_task(world.send("index", late))
    await asleep.wait()
    name = await library.reindex(wanted=OTHER).run()
    await library.reindex().run()
    wake.set()
    await writing

    assert name not in await library.search.names()
    assert (await world.row(late.document_id)).indexed_version is not None
    await library.agrees(await library.live(), library.same)


@pytest.mark.parametrize("when", ["before the writing", "after the writing"])
async def test_a_deletion_while_the_walk_writes_the_document(library: Library, when: str) -> None:
    """No entry of it comes back, although it was never in the index before."""
    world, models = library.world(), library.world().models
    document_id = (await library.read("doomed", pages=3)).document_id
    embed, doomed = models.embed, [document_id]

    async def meanwhile(texts: Sequence[str], **how: Any) -> list[list[float]]:
        if doomed and any("doomed" in text for text in texts):
            await delete(world, doomed.pop())
        return await embed(texts, **how)

    if when == "before the writing":
        models.embed = meanwhile  # type: ignore[method-assign]
        await library.reindex(models=models).run()
    else:
        with pytest.raises(Killed):
            await library.reindex(Watched(kill_at=2)).run()
        await delete(world, document_id)
        await library.reindex().run()

    live = await library.live()
    assert not [key for key in await library.held(live) if key.startswith(document_id)]
    await library.agrees(live, library.same)


async def test_a_search_never_misses_a_document(library: Library) -> None:
    """Before, during and after the swap each document is found."""
    expected = set(await library.add(6))
    finished, rounds = asyncio.Event(), 0
    running = asyncio.create_task(library.reindex().run())
    running.add_done_callback(lambda _: finished.set())
    body = {"size": 1000, "query": {"match": {"content": "nitrate"}}}

    while not finished.is_set():
        hits = (await library.search.query(body))["hits"]["hits"]
        assert expected <= {hit["_source"]["document_id"] for hit in hits}
        rounds += 1

    assert await running == await library.live()
    assert rounds > 3


async def test_a_rebuild_that_is_given_up(library: Library) -> None:
    """Its index is gone, its name is not used again, and the workers write to the old one alone."""
    await library.add(2)
    old = await library.live()
    with pytest.raises(Killed):
        await library.reindex(Watched(kill_at=2)).run()

    given_up = await library.reindex().abort()
    await library.add(1)

    assert given_up is not None
    assert given_up not in await library.search.names()
    assert await library.live() == old
    await library.agrees(old, library.same)
    assert await library.reindex().abort() is None
    assert await library.reindex().run() != given_up
