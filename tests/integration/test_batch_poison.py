"""A record of a batch that ends its worker's process is found; its neighbours are done once."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from sqlalchemy import select

from local.environment import inherited
from schemas.tables import DEAD_LETTERS, DOCUMENT_TYPES, STEPS
from streams.clients.postgres import Database
from streams.settings import Settings

GPT = "b-poison"
NOTES = ("a", "b", "c", "d", "poison", "e", "f", "g", "h")
PROJECT = Path(__file__).parents[2]


def until_done(settings: Settings, folder: Path) -> list[int]:
    """Start the worker again whenever it ends, until all is acknowledged. Returns: the codes."""
    command = (sys.executable, "-m", "tests.integration.batch_worker", GPT, str(folder), *NOTES)
    url = settings.database_url.get_secret_value()
    environment = inherited() | {"ACTIONSTREAM_DATABASE_URL": url}
    codes: list[int] = []
    while not codes or codes[-1] != 0:
        run = subprocess.run(
            command, cwd=PROJECT, env=environment, capture_output=True, check=False
        )
        assert run.returncode in {0, -signal.SIGKILL}, run.stderr.decode()
        codes.append(run.returncode)
    return codes


async def rows(database: Database, query: Any) -> list[Any]:
    async with database.transaction() as connection:
        return list((await connection.execute(query)).all())


async def test_poison_in_a_batch_becomes_a_dead_letter(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    """First it takes its batch with it, unseen; then it is told apart, isolated, and set aside."""
    codes = until_done(settings, tmp_path)

    assert codes == [-signal.SIGKILL] * 5 + [0]
    letters = await rows(database, select(DEAD_LETTERS).where(DEAD_LETTERS.c.gpt_id == GPT))
    assert [(row.error, row.attempts, row.record_offset) for row in letters] == [("poison", 4, 4)]
    assert "4 times, 2 of them while nothing else ran" in letters[0].reason
    kept = await rows(database, select(DOCUMENT_TYPES).where(DOCUMENT_TYPES.c.gpt_id == GPT))
    assert {row.name: row.version for row in kept} == dict.fromkeys(set(NOTES) - {"poison"}, 1)
    states = await rows(database, select(STEPS.c.state).where(STEPS.c.gpt_id == GPT))
    assert sorted(row.state for row in states) == ["dead"] + ["done"] * 8
    seen = (tmp_path / "seen").read_text(encoding="utf-8").splitlines()
    # The first three singly, the batch that it took with it, itself four times, the others.
    assert [json.loads(line) for line in seen] == [
        ["a"], ["b"], ["c"], ["d", "poison", "e"], ["d"],
        *[["poison"]] * 4, ["e"], ["f"], ["g", "h"],
    ]  # fmt: skip
