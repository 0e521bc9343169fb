"""Archives and prefixes become documents of their batch, on a real Postgres and object store."""

import json
from datetime import timedelta

import pytest

from schemas.batches import Add, Archive, Cancel, Close, Described, Many, Open, Prefix
from schemas.tables import DEAD_LETTERS
from streams.stage import Record
from tests.integration.stages.batching import Batch, zipped
from tests.integration.stages.conftest import MAX_BYTES, TENANT, TEXT, World
from tests.integration.stages.test_stage_letters import parts


async def archived(batch: Batch, content: bytes, **more: object) -> Many:
    """Store an archive as an upload of the batch. Returns: its source."""
    key = f"{TENANT}/batches/{batch.batch_id}/uploads/{batch.world.request()}.zip"
    await batch.world.store.put(key, content, content_type="application/zip")
    return Many.model_validate({"source": Archive(key=key), **more})


async def described(batch: Batch, *lines: object) -> str:
    """Store a manifest. Returns: its key."""
    key = f"{TENANT}/batches/{batch.batch_id}/uploads/{batch.world.request()}.jsonl"
    content = "\n".join(json.dumps(line) for line in lines)
    await batch.world.store.put(key, content.encode(), content_type="text/plain")
    return key


async def stored(world: World, *names: str, size: int = 4) -> str:
    """Store files under a prefix of their own. Returns: it."""
    under = f"{TENANT}/inbox/{world.request()}/"
    for name in names:
        await world.store.put(under + name, b"x" * size, content_type="text/plain")
    return under


async def expanded(batch: Batch, *many: Many) -> list[Record]:
    """Open, fill and close a batch of these sources. Returns: what is left."""
    published = await batch.change(Open(), Add(many=many), Close())
    return await parts(batch.world, "expand", published)


async def found(batch: Batch) -> dict[str, str]:
    """Read its paths, each with the state, or with what keeps it from being a document."""
    return {
        entry.path: entry.state if entry.problem is None else entry.problem["code"]
        for entry in await batch.entries()
    }


async def test_an_archive_becomes_documents(world: World) -> None:
    """Each file is a document with its path, what is said of all, and bytes of its own."""
    batch = Batch(world)
    content = zipped(("a/1.txt", TEXT.encode()), ("b/2.txt", b"two"), ("c/../../3.txt", b""))
    source = await archived(batch, content, defaults=Described(metadata={"client": "acme"}))

    assert await expanded(batch, source) == []

    assert await found(batch) == {
        "a/1.txt": "queued",
        "b/2.txt": "queued",
        "c/../../3.txt": "path_outside",
    }
    assert await batch.counts() == {("queued", ""): 2, ("failed", "path_outside"): 1}
    assert (await batch.row()).sources == 0
    await batch.worked()
    assert await batch.counts() == {("completed", "receipt"): 2, ("failed", "path_outside"): 1}
    assert (await batch.row()).state == "completed"
    first, *_ = await batch.entries()
    document = await world.row(first.document_id)
    assert (document.filename, document.metadata) == ("1.txt", {"client": "acme"})
    assert await world.keys(source.source.key) == []


async def test_the_parts_of_an_archive(world: World) -> None:
    """Handed over after each budget, it is expanded as if at once; each part may come twice."""
    world.budget = timedelta(0)
    batch = Batch(world)
    source = await archived(batch, zipped(*((f"{n}.txt", b"x") for n in range(20))))
    with_parts = await batch.change(Open(), Add(many=(source,)), Close())
    waiting, count = list(with_parts), 0
    while waiting:
        record = waiting.pop()
        count += 1
        waiting.extend(await world.give(record))
        await world.give(record)

    assert count > 1
    assert sorted(await found(batch)) == sorted(f"{n}.txt" for n in range(20))
    assert await batch.counts() == {("queued", ""): 20}
    assert (await batch.row()).sources == 0


async def test_two_sources_of_one_record(world: World) -> None:
    """Files of the same path in two archives are two documents."""
    batch = Batch(world)
    content = zipped(("a.txt", b"x"))
    await expanded(batch, await archived(batch, content), await archived(batch, content))

    assert await batch.counts() == {("queued", ""): 2}
    assert (await batch.row()).last_source == 2


async def test_a_manifest_describes_files(world: World) -> None:
    """What it says of a file is the document's; a path without a file and a bad line are told."""
    batch = Batch(world)
    manifest = await described(
        batch,
        {"path": "a.txt", "title": "One", "metadata": {"n": 1}, "type": "invoice"},
        {"path": "missing.txt"},
        {"path": "b.txt", "type": "No Type"},
    )
    content = zipped(("a.txt", b"x"), ("b.txt", b"y"))
    await expanded(batch, await archived(batch, content, manifest_key=manifest))

    assert await found(batch) == {
        "a.txt": "queued",
        "b.txt": "queued",
        "missing.txt": "manifest_without_file",
        "manifest:3": "invalid_manifest",
    }
    first, *_ = await batch.entries()
    said = {name: first.order[name] for name in ("title", "metadata", "type")}
    assert said == {"title": "One", "metadata": {"n": 1}, "type": "invoice"}


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"no archive", "corrupt"),
        (zipped(*((f"{n}", b"") for n in range(501))), "too_many_files"),
        (b"", "corrupt"),
    ],
    ids=["no archive", "too many files", "empty"],
)
async def test_an_archive_that_is_refused(world: World, content: bytes, code: str) -> None:
    """The batch says why, and is complete without it."""
    batch = Batch(world)
    await expanded(batch, await archived(batch, content))

    assert await batch.counts() == {("failed", code): 1}
    assert (await batch.row()).state == "completed"
    assert (await batch.told()).count("batch.completed") == 1


async def test_a_prefix_becomes_documents(world: World) -> None:
    """All files under it, but not the manifest, folders, or one that is too large."""
    batch = Batch(world)
    under = await stored(world, "a.txt", "b/c.txt", "folder/")
    await world.store.put(under + "large", b"x" * (MAX_BYTES + 1), content_type="text/plain")
    manifest = f"{under}manifest.jsonl"
    content = b'{"path": "b/c.txt", "title": "C"}\n{"path": "none"}\n{"path": "large"}'
    await world.store.put(manifest, content, content_type="text/plain")
    await expanded(batch, Many(source=Prefix(prefix=under), manifest_key=manifest))

    assert await found(batch) == {
        "a.txt": "queued",
        "b/c.txt": "queued",
        "large": "too_large",
        "none": "manifest_without_file",
    }
    assert await world.keys(manifest) == [manifest]


@pytest.mark.parametrize(
    "prefix", ["other/inbox/", "demo", "demo/", "demo/doc", "demo/documents/doc_1/", "demo/../x/"]
)
async def test_a_prefix_outside(world: World, prefix: str) -> None:
    """Another tenant's files, and what the product itself stores, cannot be added."""
    batch = Batch(world)
    many = Many(source=Prefix(prefix=prefix))

    assert await batch.refused(Open(), Add(many=(many,))) == (422, "foreign_key")


async def test_a_foreign_archive_in_a_fact(world: World) -> None:
    """A record that names another tenant's archive is a dead letter, and nothing is read."""
    batch = Batch(world)
    [fact] = await batch.change(Open(), Add(many=(await archived(batch, zipped()),)))
    value = fact.value.replace(b'"demo/batches', b'"other/batches')
    await world.give(Record(fact.topic, fact.key, value, fact.headers))

    [letter] = await batch.rows(DEAD_LETTERS)
    assert letter.error == "foreign_key"


async def test_a_batch_that_becomes_full(world: World) -> None:
    """What does not fit is left out, and the batch says so."""
    batch = Batch(world)
    sources = [await archived(batch, zipped(*((f"{n}", b"") for n in range(400)))) for _ in "abc"]
    await expanded(batch, *sources)

    assert await batch.counts() == {("queued", ""): 800, ("failed", "too_many_documents"): 1}
    assert (await batch.row()).sources == 0


async def test_a_batch_that_is_cancelled_meanwhile(world: World) -> None:
    """A source that is still being listed adds nothing more, and ends."""
    world.budget = timedelta(0)
    batch = Batch(world)
    source = await archived(batch, zipped(*((f"{n}.txt", b"x") for n in range(20))))
    [record] = await batch.change(Open(), Add(many=(source,)))
    [following] = await world.give(record)
    await parts(world, "cancel", await batch.change(Cancel()))
    count = len(await batch.entries())
    await parts(world, "expand", [following])

    assert len(await batch.entries()) == count
    assert set(await batch.counts()) <= {("cancelled", "")}
    assert (await batch.row()).sources == 0
