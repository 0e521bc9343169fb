"""What a peer is installed from is pinned to the byte."""

import re

from bench.kinto import REQUIREMENTS

_PIN = re.compile(r"^([a-z0-9.-]+)==\S+( ; .+)? \\$")


def test_every_package_of_a_peer_has_one_version_and_hashes() -> None:
    """Each line that begins a package names one version, and hashes follow it."""
    lines = REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    begun = [number for number, line in enumerate(lines) if line[:1].isalnum()]
    assert {"kinto", "gunicorn", "psycopg2-binary"} <= {
        match[1] for number in begun if (match := _PIN.match(lines[number]))
    }
    for number in begun:
        assert _PIN.match(lines[number]), lines[number]
        assert lines[number + 1].startswith("    --hash=sha256:")


def test_what_is_asked_for_is_what_is_pinned() -> None:
    """The versions in the input are those of the compiled file."""
    pinned = REQUIREMENTS.read_text(encoding="utf-8")
    asked = REQUIREMENTS.with_suffix(".in").read_text(encoding="utf-8").splitlines()
    for line in (line for line in asked if not line.startswith("#")):
        assert re.sub(r"\[.*\]", "", line) + " " in pinned
