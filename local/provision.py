"""Makes the Python environment `.venv` from the lock file, once, and says what is missing.

Runs with whatever Python there is, before anything is installed: standard library only, and no
syntax younger than Python 3.7, so that an old one can still say that it is too old.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
ENVIRONMENT = PROJECT / ".venv"
OLDEST, NEWEST = (3, 11), (3, 13)
#: What `uv sync` installs: to run the product here, or to run all of its checks.
KINDS = {
    "run": ("--no-dev", "--group", "local", "--extra", "ocr"),
    "test": ("--all-groups", "--all-extras"),
}
_PINNED_BY = ("pyproject.toml", "uv.lock", "local/uv-requirements.txt")
_LEAST_FREE_BYTES = 2 * 1024**3


class Missing(Exception):
    """Something that this machine lacks; the message is one sentence that says how to get it."""


def check_python(version: Sequence[int]) -> None:
    """Refuse a Python that the dependencies were not locked for.

    Args:
        version: its major and minor number.

    Raises:
        Missing: it is too old or too new.
    """
    if not OLDEST <= tuple(version) <= NEWEST:
        raise Missing(
            "This is Python {}.{} and 3.11 to 3.13 are needed: install one and name it, "
            "as in `make run PYTHON=python3.13`.".format(*version)
        )


def check_programs(which: Callable[[str], str | None]) -> None:
    """Refuse to begin what would fail in the middle.

    Args:
        which: finds a program by name, like `shutil.which`.

    Raises:
        Missing: Maven is not installed.
    """
    if which("mvn") is None:
        raise Missing(
            "Maven (`mvn`) is not installed: install it, on Debian with `apt-get install maven`."
        )


def check_space(free: int) -> None:
    """Refuse a disk that would be full in the middle.

    Args:
        free: free bytes where the project lies.

    Raises:
        Missing: fewer than 2 GiB.
    """
    if free < _LEAST_FREE_BYTES:
        raise Missing(
            f"The disk of {PROJECT} has {free / 1024**3:.1f} GiB free and 2.0 GiB are needed: "
            "free some."
        )


def mark() -> str:
    """Returns: a hash that changes whenever another set of packages is pinned."""
    pinned = hashlib.sha256()
    for name in _PINNED_BY:
        pinned.update((PROJECT / name).read_bytes())
    return pinned.hexdigest()


def provision(kind: str) -> None:
    """Make or renew `.venv`; does nothing when it is what the lock file says.

    Args:
        kind: `run` or `test`.

    Raises:
        Missing: something must be installed or freed first.
    """
    wanted = mark()
    # What the checks need includes what a run needs.
    stamps = [ENVIRONMENT / ("stamp-" + name) for name in KINDS if name in (kind, "test")]
    if any(stamp.exists() and stamp.read_text() == wanted for stamp in stamps):
        return
    check_python(sys.version_info[:2])
    check_programs(shutil.which)
    check_space(shutil.disk_usage(str(PROJECT)).free)
    python = ENVIRONMENT / "bin" / "python"
    if not python.exists():
        say("making {} with Python {}.{}".format(ENVIRONMENT.name, *sys.version_info[:2]))
        if call([sys.executable, "-m", "venv", str(ENVIRONMENT)]):
            # What a venv module without pip leaves behind looks like an environment.
            shutil.rmtree(str(ENVIRONMENT), ignore_errors=True)
            raise Missing(
                "Python's venv module is not installed: install it, "
                "on Debian with `apt-get install python3-venv`."
            )
    if not (ENVIRONMENT / "bin" / "pip").exists():
        call([str(python), "-m", "ensurepip"])
    say("installing the installer (uv, pinned by hash)")
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if call([*pip, "--require-hashes", "-r", str(PROJECT / "local" / "uv-requirements.txt")]):
        raise Missing(network("pip"))
    say(f"installing the packages of the lock file ({kind})")
    sync = [str(ENVIRONMENT / "bin" / "uv"), "sync", "--locked", "--inexact", *KINDS[kind]]
    if call([*sync, "--python", str(python), "--project", str(PROJECT)]):
        raise Missing(network("uv"))
    (ENVIRONMENT / ("stamp-" + kind)).write_text(wanted)


def network(program: str) -> str:
    """Returns: the sentence for packages that could not be installed by `program`."""
    return (
        f"The packages could not be installed ({program} says why above): if it is the network, "
        "run the same command again when there is one, it goes on where it was."
    )


def call(command: Sequence[str]) -> int:
    """Returns: the exit code of a command that prints to this terminal."""
    return subprocess.call(command, stdin=subprocess.DEVNULL, cwd=str(PROJECT))


def say(line: str) -> None:
    """Print a line of progress at once."""
    print("setup: " + line, flush=True)


def main() -> None:
    """Provision what the first argument names, `run` or `test`."""
    try:
        provision(sys.argv[1] if len(sys.argv) > 1 else "run")
    except Missing as missing:
        sys.exit(f"error: {missing}")


if __name__ == "__main__":
    main()
