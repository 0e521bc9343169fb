"""The README's calls, run as they are written, against the product that runs."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parents[2]
README = (PROJECT / "README.md").read_text(encoding="utf-8")
ENVIRONMENT = ". .actionstream/env\n"
"""The file that `make run` writes; its variables are in the environment already."""

CALLS = README.partition("## First calls")[2]
BLOCKS = [
    block.removeprefix(ENVIRONMENT)
    for block in re.findall(r"^```sh\n(.*?)^```$", CALLS, re.MULTILINE | re.DOTALL)
    if block != ENVIRONMENT
]


def answers(printed: str) -> list[dict[str, Any]]:
    """The JSON objects of an output, one after the other."""
    found, rest, decoder = [], printed.strip(), json.JSONDecoder()
    while rest:
        answer, end = decoder.raw_decode(rest)
        found.append(answer)
        rest = rest[end:].strip()
    return found


def run(block: str) -> str:
    """Runs a block in the project's folder; each of its commands must succeed."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        cwd=PROJECT,
        env=dict(os.environ),  # noqa: TID251 - the shell gets what the file would have given it
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def agrees(shown: Any, real: Any) -> bool:
    """Whether an example is a part of a real answer; `…` stands for what is left out."""
    if isinstance(shown, dict):
        return all(name in real and agrees(value, real[name]) for name, value in shown.items())
    if isinstance(shown, list):
        return isinstance(real, list)
    if isinstance(shown, str) and shown.endswith("…"):
        return str(real).startswith(shown.rstrip("…")[:4])
    # Confidences change a little whenever they are fitted anew.
    return real == shown or (isinstance(shown, float) and isinstance(real, float))


def test_the_upload_answers_as_shown() -> None:
    """The first call waits for the fields, which are the ones of the example below it."""
    [example] = re.findall(r"^```json\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    [answer] = answers(run(BLOCKS[0]))
    assert agrees(json.loads(example), answer), answer


@pytest.mark.parametrize("number", range(1, len(BLOCKS)))
def test_every_other_block_works(number: int) -> None:
    """Each block succeeds, and none of its answers is a problem."""
    printed = run(BLOCKS[number])
    if "curl" in BLOCKS[number] or "producer.py" in BLOCKS[number]:
        found = answers(printed)
        assert found
        assert not [answer for answer in found if answer.get("type", "").startswith("/problems/")]
        assert all(answer.get("items", True) for answer in found), "nothing was found"
