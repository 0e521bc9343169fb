"""Fetching Java programs: Maven brings pinned artefacts, and each is compared with a known hash.

Reads `maven/<name>.xml` (what to fetch) and `maven/checksums.txt` (SHA-256, size, file of all).
Maven keeps what it has in a folder of the cache, so a fetch that was interrupted goes on there.
"""

import hashlib
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from local.environment import inherited
from local.errors import Obstacle
from local.places import Places, check_space
from local.program import Report

_POMS = Path(__file__).parent / "maven"
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
#: Registries time out now and then; Maven goes on where it was.
_TRIES = 3
_REPORT_EVERY_S = 2.0
_MIB = 1024**2
_DISK_FULL = ("No space left on device", "Disk quota exceeded")


@dataclass(frozen=True)
class Artefact:
    """One file that Maven brings: its SHA-256 in hexadecimal and its size in bytes."""

    sha256: str
    size: int
    name: str


def artefacts(program: str) -> list[Artefact]:
    """Returns: every file of `program` (`kafka`, `opensearch`, `s3proxy`), as committed."""
    lines = (_POMS / "checksums.txt").read_text(encoding="ascii").splitlines()
    found = []
    for line in lines:
        sha256, size, path = line.split()
        folder, name = path.split("/")
        if folder == program:
            found.append(Artefact(sha256, int(size), name))
    return found


def folder(program: str, places: Places) -> Path:
    """Returns: the folder in the cache that holds, once fetched, exactly the files of the list."""
    # A changed list is another folder: what an older version left is never mixed in.
    listed = "".join(one.sha256 for one in artefacts(program))
    return places.cache / f"{program}-{hashlib.sha256(listed.encode()).hexdigest()[:12]}"


def fetch(
    program: str,
    places: Places,
    report: Report,
    find: Callable[[str], str | None] = shutil.which,
) -> None:
    """Bring the files of `program` into its folder, once.

    Args:
        program: `kafka`, `opensearch` or `s3proxy`.
        places: where the cache is.
        report: prints a line of progress.
        find: finds a command by name.

    Raises:
        Obstacle: no Maven, no network, a full disk, or files that are not the expected ones.
    """
    target = folder(program, places)
    if target.is_dir():
        return
    wanted = artefacts(program)
    maven = find("mvn")
    if maven is None:
        raise Obstacle(
            "Maven (`mvn`) is not installed: install it, on Debian with `apt-get install maven`."
        )
    check_space(places.cache)
    making = target.with_name(f".{target.name}")
    repository = places.cache / "maven"
    pom = str(_POMS / f"{program}.xml")
    command = [
        *(maven, "-B", "--no-transfer-progress", "-f", pom, f"-Dmaven.repo.local={repository}"),
        *(_COPY, f"-DoutputDirectory={making}", "-DincludeScope=runtime"),
    ]
    size = sum(one.size for one in wanted)
    report(f"{program}: fetching {len(wanted)} files, {size / _MIB:.0f} MB")
    for attempt in range(1, _TRIES + 1):
        complaint = _run(command, repository, report, program)
        if complaint is None:
            break
        if attempt == _TRIES:
            raise _obstacle(program, complaint)
        report(f"{program}: interrupted, going on (try {attempt + 1} of {_TRIES})")
    verify(making, wanted)
    making.rename(target)


def verify(made: Path, wanted: list[Artefact]) -> None:
    """Compare a folder with a list: nothing may be missing, different or more.

    Raises:
        Obstacle: a file is not the expected one; the wrong files are removed.
    """
    present = {path.name for path in made.iterdir()}
    expected = {one.name for one in wanted}
    wrong = sorted(present ^ expected)
    for one in wanted:
        if one.name in present and _sha256(made / one.name) != one.sha256:
            wrong.append(one.name)
    if wrong:
        shutil.rmtree(made)
        raise Obstacle(
            f"Downloaded files are not the expected ones ({', '.join(wrong[:5])}): nothing of them "
            "is used; if a mirror serves them, ask its owner, else remove the cache and try again."
        )


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _run(command: list[str], repository: Path, report: Report, program: str) -> str | None:
    """Returns: None if Maven ended well, else what it printed."""
    before = _bytes_in(repository)
    with subprocess.Popen(
        command,
        env=inherited(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as maven:
        while True:
            try:
                output, _ = maven.communicate(timeout=_REPORT_EVERY_S)
                break
            except subprocess.TimeoutExpired:
                got = max(_bytes_in(repository) - before, 0)
                report(f"{program}: {got / _MIB:.0f} MB fetched")
    return None if maven.returncode == 0 else output


def _bytes_in(top: Path) -> int:
    total = 0
    for path in top.rglob("*"):
        try:
            total += path.stat().st_size
        except FileNotFoundError:
            # Maven renames a file when it is complete.
            continue
    return total


def _obstacle(program: str, output: str) -> Obstacle:
    if any(sign in output for sign in _DISK_FULL):
        return Obstacle("The disk is full: free 2 GiB, or set ACTIONSTREAM_CACHE to another disk.")
    errors = [line for line in output.splitlines() if line.startswith("[ERROR]")]
    reason = errors[0].removeprefix("[ERROR]").strip()[:300] if errors else "nothing"
    return Obstacle(
        f"{program} could not be fetched: is there a network, and may Maven use it? Then run the "
        f"same command again, it goes on where it was. Maven says: {reason}"
    )


def forget_repository(places: Places) -> None:
    """Remove what Maven kept for going on after an interruption; everything is fetched now."""
    shutil.rmtree(places.cache / "maven", ignore_errors=True)
