"""The demonstration against the whole product: every sample complete, once however often."""

import subprocess
import sys
from pathlib import Path

import httpx2

from cli.samples import WHERE
from tests.e2e.conftest import SAMPLES

COMMAND = Path(sys.executable).with_name("actionstream")


def _demo(*arguments: str) -> str:
    done = subprocess.run(
        [COMMAND, "demo", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _listed(api: httpx2.Client) -> list[tuple[str, str]]:
    page = api.get("/v1/documents", params={"where": WHERE, "limit": 100}).json()
    return sorted((one["filename"], one["status"]) for one in page["items"])


def test_the_samples_go_through_once_and_away_again(api: httpx2.Client) -> None:
    """All are completed, a repetition adds none, and --clear leaves none behind."""
    names = [path.name for path in SAMPLES.iterdir() if path.suffix != ".json"]
    expected = sorted(
        (name, "completed") for name in names if (SAMPLES / name).with_suffix(".json").is_file()
    )
    said = _demo()
    assert _listed(api) == expected
    assert f"{len(expected)} of {len(expected)} completed" in said
    assert "Authorization: Bearer $ACTIONSTREAM_API_KEY" in said
    _demo()
    assert _listed(api) == expected
    _demo("--clear")
    assert _listed(api) == []
