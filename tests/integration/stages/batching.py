"""A batch of documents in the world of the stages, let in as the release task does."""

import io
import zipfile
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, select, text

from schemas.batches import Add, BatchEntry, ChangeBatch, Close, Open
from schemas.ids import BATCH
from schemas.messages import Link, StoredFile
from schemas.tables import BATCH_ENTRIES, BATCHES, EVENTS
from streams.release import Release
from streams.stage import Record
from tests.integration.stages.conftest import TENANT, World, body

IN_FLIGHT = 100_000
RECOUNT = text("""
    SELECT e.state, e.label, count(*) FROM (
        SELECT CASE WHEN e.document_id IS NULL OR d.status IS NULL THEN e.state
                    WHEN d.status IN ('completed', 'failed', 'cancelled') THEN d.status
                    ELSE 'processing' END AS state,
               CASE WHEN e.document_id IS NULL THEN e.label
                    WHEN d.status = 'completed' THEN coalesce(d.type, '')
                    WHEN d.status = 'failed' THEN d.problem->>'code' ELSE '' END AS label
        FROM batch_entries e LEFT JOIN documents d USING (document_id) WHERE e.batch_id = :batch
    ) AS e GROUP BY 1, 2
""")
TALLIES = text("SELECT state, label, count FROM batch_tallies WHERE batch_id = :batch")
ENTRIES = text("""
    SELECT state, label, count(*) FROM batch_entries WHERE batch_id = :batch GROUP BY 1, 2
""")


@dataclass
class Batch:
    """One batch; `change` sends a record to its stage."""

    world: World
    batch_id: str = ""
    subject: str | None = None
    results: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.batch_id = self.batch_id or self.world.ids.mint(BATCH, TENANT)

    async def change(self, *steps: Any) -> list[Record]:
        """Send a record with these steps. Returns: what it published, its answer apart."""
        message = ChangeBatch(batch_id=self.batch_id, steps=steps)
        published = await self.world.send("batches", message, subject=self.subject)
        self.results.append(body(published, "results"))
        return [record for record in published if record.topic != "results"]

    async def refused(self, *steps: Any) -> tuple[int, str]:
        """Send a record that is refused. Returns: why."""
        assert await self.change(*steps) == []
        problem = self.results[-1]["problem"]
        return problem["status"], problem["code"]

    async def opened(self, *texts: str, close: bool = True) -> "Batch":
        """Open it with documents of these texts."""
        entries = [await self.entry(each) for each in texts]
        steps = [Open(name="Receipts"), Add(entries=tuple(entries))]
        await self.change(*steps, *([Close()] if close else []))
        return self

    async def entry(self, content: str, **more: Any) -> BatchEntry:
        """Store a text. Returns: its entry."""
        if content.startswith("https:"):
            return BatchEntry(source=Link(url=content), **more)
        key = f"{TENANT}/inbox/{self.world.request()}"
        await self.world.store.put(key, content.encode(), content_type="text/plain")
        return BatchEntry(source=StoredFile(key=key), filename="receipt.txt", **more)

    async def released(self) -> list[Record]:
        """Let its queued documents in. Returns: their records."""
        before = len(self.world.publisher.records)
        await Release(self.world.database, self.world.publisher, in_flight=IN_FLIGHT).turn()
        return [r for r in self.world.publisher.records[before:] if self.owns(r)]

    def owns(self, record: Record) -> bool:
        """Tell whether a record belongs to it."""
        return dict(record.headers).get("batch-id") == self.batch_id.encode()

    async def worked(self, *, until: str = "") -> list[Record]:
        """Let its documents in and work them off. Returns: what is left."""
        return await self.world.follow(await self.released(), until=until)

    async def row(self) -> Row[Any]:
        """Read it."""
        [row] = await self.rows(BATCHES)
        return row

    async def rows(self, table: Any) -> list[Row[Any]]:
        """Read its rows of a table."""
        query = select(table).where(table.c.batch_id == self.batch_id)
        async with self.world.database.transaction() as connection:
            return list((await connection.execute(query)).all())

    async def entries(self) -> list[Row[Any]]:
        """Read its entries in their order."""
        return sorted(await self.rows(BATCH_ENTRIES), key=lambda row: row.ordinal)

    async def told(self) -> list[str]:
        """Read the types of the events that happened to itself."""
        rows = [row for row in await self.rows(EVENTS) if row.object_id == self.batch_id]
        return [row.type for row in sorted(rows, key=lambda row: row.sequence)]

    async def counts(self) -> dict[tuple[str, str], int]:
        """Check that tallies, entries and documents say the same. Returns: what they say."""
        found = []
        async with self.world.database.transaction() as connection:
            for query in (TALLIES, ENTRIES, RECOUNT):
                rows = (await connection.execute(query, {"batch": self.batch_id})).all()
                found.append({(row[0], row[1]): row[2] for row in rows if row[2]})
        assert found[0] == found[1] == found[2]
        unsettled = sum(n for (state, _), n in found[0].items() if state in OPEN_STATES)
        assert (await self.row()).unsettled == unsettled
        return found[0]


OPEN_STATES = {"queued", "processing"}


def zipped(*files: tuple[str, bytes]) -> bytes:
    """Make a ZIP file."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return target.getvalue()
