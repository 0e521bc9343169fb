"""A short run of a fixed seed: each cheap fault once under load, nothing lost, nothing twice."""

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]
REPORT = PROJECT / ".actionstream" / "chaos-test"


def test_a_short_run_loses_and_doubles_nothing() -> None:
    """Whatever is found is printed here; journal, report and logs stay in `.actionstream`."""
    command = (sys.executable, "-m", "tests.chaos", "--short", "--seed", "7", "--report", REPORT)

    run = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)

    assert run.returncode == 0, f"{run.stdout[-20_000:]}\n{run.stderr[-5_000:]}"
    assert "| lost " in run.stdout
