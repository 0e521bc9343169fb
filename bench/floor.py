"""The floor: the same SQL by pgbench, with nothing above the database.

Prepared statements, one transaction log, percentiles from it. Each script of a set is run as often
as the others; a script is one transaction.
"""

import os
import re
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import URL

from bench.load import Figures
from bench.percentiles import percentile

MOST_SCRIPTS: Final = 20
"""Each connection prepares every statement of every script, which must not be what is measured."""

MOST_CONNECTIONS: Final = 32
"""Postgres takes 100, and the other peers hold theirs; two cores are busy with far fewer."""
_TPS: Final = re.compile(r"^tps = ([0-9.]+) \(without initial connection time\)", re.MULTILINE)
_FAILED: Final = re.compile(r"^number of failed transactions: (\d+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Floor:
    """Where pgbench is, and what it asks.

    `url` bears the role as which the product runs the SQL, and row-level security lets `gpt_id`
    through.
    """

    programs: Path
    url: URL
    gpt_id: str

    def measure(self, scripts: Sequence[str], clients: int, seconds: int) -> Figures:
        """Run scripts of plain SQL, each a transaction, over so many connections.

        In a script, no colon may stand before a letter, even within a text.

        Returns: rate and latencies; connecting is not in them.

        Raises:
            RuntimeError: pgbench ended with an error, or a transaction failed.
        """
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            files = []
            for number, script in enumerate(scripts[:MOST_SCRIPTS]):
                file = folder / f"{number}.sql"
                file.write_text(script, encoding="utf-8")
                files += ["-f", str(file)]
            # With two threads pgbench 18 logs latencies of 0 for many transactions.
            connections = min(clients, MOST_CONNECTIONS)
            size = (f"--client={connections}", "--jobs=1", f"--time={seconds}")
            told = self._run(folder, *size, *files)
            return _figures(told, sorted(folder.glob("taken.*")))

    def _run(self, folder: Path, *options: str) -> float:
        """Returns: transactions a second."""
        url = self.url
        done = subprocess.run(
            [
                str(self.programs / "pgbench"),
                *("--no-vacuum", "--protocol=prepared", "--log", "--log-prefix=taken"),
                *("-h", str(url.host), "-p", str(url.port), "-U", str(url.username)),
                *(*options, str(url.database)),
            ],
            env={
                **os.environ,  # noqa: TID251 - a child gets all of it
                "PGPASSWORD": str(url.password),
                "PGOPTIONS": f"-c actionstream.gpt_id={self.gpt_id} -c timezone=UTC",
            },
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        told = _TPS.search(done.stdout)
        failed = _FAILED.search(done.stdout)
        if done.returncode or told is None or (failed and int(failed[1])):
            raise RuntimeError(done.stderr[-2000:] + done.stdout[-500:])
        return float(told[1])


def _figures(per_s: float, logs: Sequence[Path]) -> Figures:
    """Returns: the figures; the log has a line a transaction, its third word in microseconds."""
    taken = [
        int(line.split(maxsplit=3)[2]) / 1000
        for log in logs
        for line in log.read_text(encoding="ascii").splitlines()
    ]
    return Figures(
        requests=len(taken),
        per_s=per_s,
        p50=percentile(taken, 0.5),
        p95=percentile(taken, 0.95),
        p99=percentile(taken, 0.99),
        repeats=0,
        errors=0,
        trouble=None,
        client_cpu=0.0,
        last=0,
    )
