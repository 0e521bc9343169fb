"""A worker of one batch stage as a process of its own, which some of its records end.

Run as `python -m tests.integration.batch_worker TENANT FOLDER NOTE...`. It works off the notes from
the offset in FOLDER/committed, adds what it keeps to `document_types`, writes each batch down in
FOLDER/seen, and ends at the note `poison` as a segmentation fault would end it.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import topics
from schemas.messages import Ping
from streams.batch_ledger import BatchLedger
from streams.batches import Batches
from streams.clients.postgres import Database
from streams.ledger import Ledger
from streams.retries import Attempts
from streams.runner import Patience, Runner
from streams.settings import Settings
from streams.stage import BatchStage, Taken, Verdict
from streams.wire import Incoming
from tests.fakes.publisher import FakePublisher
from tests.suites.ledger import IDS

MOST = 3
_KEEP = text(
    "INSERT INTO document_types AS t (gpt_id, name, version, definition) "
    "SELECT :gpt_id, note, 1, '{}' FROM unnest(CAST(:notes AS text[])) AS note "
    "ON CONFLICT (gpt_id, name) DO UPDATE SET version = t.version + 1"
)


def record(gpt_id: str, offset: int, note: str) -> Incoming:
    """The record of a note, the same at every delivery."""
    headers = {
        "request-id": IDS.derive("req", gpt_id, note),
        "gpt-id": gpt_id,
        "schema": "ping.v1",
    }
    pairs = tuple((name, value.encode()) for name, value in headers.items())
    value = json.dumps({"note": note}).encode()
    return Incoming("ping", 0, offset, b"key", value, pairs, lambda: False)


async def work(gpt_id: str, folder: Path, notes: Sequence[str]) -> None:
    """Work off what is not acknowledged."""
    database = Database.connect(Settings().database_url.get_secret_value(), pool=3)
    ledger = Ledger(database, owner=str(os.getpid()), lease=timedelta(seconds=0.5))
    runner = Runner(
        ledger,
        FakePublisher(),
        IDS,
        attempts=Attempts(2),
        grace=timedelta(seconds=1),
        patience=Patience(first_seconds=0.05, longest_seconds=0.1, look_seconds=0.05),
    )

    async def handle(
        connection: AsyncConnection, taken: Sequence[Taken[Ping]]
    ) -> Sequence[Verdict]:
        found = [each.message.note or "" for each in taken]
        with (folder / "seen").open("a", encoding="utf-8") as seen:
            seen.write(json.dumps(found) + "\n")
        await connection.execute(_KEEP, {"gpt_id": gpt_id, "notes": found})
        if "poison" in found:
            os.kill(os.getpid(), signal.SIGKILL)
        return [Verdict({}) for _ in taken]

    batches = Batches(runner, BatchLedger(database, owner=str(os.getpid())))
    stage = BatchStage("ping", topics.PING, handle, most=MOST)
    committed = folder / "committed"
    at = int(committed.read_text(encoding="utf-8")) if committed.exists() else 0
    while at < len(notes):
        records = [record(gpt_id, at + i, note) for i, note in enumerate(notes[at : at + MOST])]
        await batches.run(stage, records)
        at += len(records)
        committed.write_text(str(at), encoding="utf-8")
    await database.close()


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], Path(sys.argv[2]), sys.argv[3:]))
