"""Where a local run keeps its things: cache, state, data and logs, and as whom its servers run."""

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from local.errors import Obstacle

PROJECT = Path(__file__).resolve().parent.parent
#: The user of servers that refuse to run as root: `nobody`, which every system has.
UNPRIVILEGED_UID = 65534
#: Enough for all downloads, unpacked, and for the first segments of Kafka's logs.
LEAST_FREE_BYTES = 2 * 1024**3


@dataclass(frozen=True)
class Places:
    """The folders of one run, and the user of its servers (None: the one who started it)."""

    cache: Path
    state: Path
    data: Path
    uid: int | None

    @property
    def logs(self) -> Path:
        """Returns: the folder with one log file for each program."""
        return self.state / "logs"

    @property
    def backups(self) -> Path:
        """Returns: the folder of the database's backups; `make reset` deletes them too."""
        return self.state / "backups"

    def log(self, name: str) -> Path:
        """Returns: the log file of the program `name`."""
        return self.logs / f"{name}.log"

    def own(self, folder: Path) -> Path:
        """Make a folder that the servers' user owns, inside a folder of ours.

        Returns: the folder, with mode 0700.
        """
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        if self.uid is not None:
            os.chown(folder, self.uid, self.uid)
        return folder

    def hand_over(self, file: Path, text: str) -> Path:
        """Write a file that only the servers' user can read.

        Returns: the file, with mode 0600.
        """
        file.unlink(missing_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            out.write(text)
        if self.uid is not None:
            os.chown(file, self.uid, self.uid)
        return file


def where(state: Path, cache: Path | None) -> Places:
    """Decide where everything of a run is kept; nothing is made.

    Args:
        state: folder of secrets, logs and the record of what runs.
        cache: folder of downloads, None for the usual one of the user or of the system.

    Returns: the places. As root the servers run as another user, so the cache and the data are
        under /var, where that user can reach them whatever the permissions of the project are.
    """
    state = state.resolve()
    root = os.geteuid() == 0
    if cache is None:
        cache = Path("/var/cache/actionstream") if root else Path.home() / ".cache/actionstream"
    data = state / "data"
    if root:
        mark = hashlib.sha256(str(state).encode()).hexdigest()[:12]
        data = Path("/var/lib/actionstream") / mark
    return Places(
        cache=cache.resolve(), state=state, data=data, uid=UNPRIVILEGED_UID if root else None
    )


def locate(state: Path, cache: Path | None) -> Places:
    """Make the folders of a run, for the arguments of `where`.

    Raises:
        Obstacle: the servers' user cannot enter the cache.
    """
    places = where(state, cache)
    for folder in (places.state, places.cache, places.data, places.logs, places.backups):
        folder.mkdir(parents=True, exist_ok=True)
    places.state.chmod(0o700)
    if places.uid is not None and not reachable(places.cache, places.uid):
        raise Obstacle(
            f"As root the servers run as another user, who cannot enter {places.cache}: "
            "set ACTIONSTREAM_CACHE to a folder that everybody may enter."
        )
    return places


def reachable(path: Path, uid: int) -> bool:
    """Returns: whether the user `uid`, of no group of note, may enter `path` and all above it."""
    for folder in (path, *path.parents):
        found = folder.stat()
        if not found.st_mode & (0o100 if found.st_uid == uid else 0o001):
            return False
    return True


def within_reach(places: Places, folder: Path, name: str, *siblings: Path) -> Path:
    """Give the servers' user a copy of installed programs that it could not read where they are.

    Args:
        places: the places of the run.
        folder: where the programs are installed.
        name: name and version, for the copy in the cache.
        siblings: folders that must lie beside it, because its libraries are found through them.

    Returns: `folder` itself, or its copy in the cache.
    """
    if places.uid is None or reachable(folder, places.uid):
        return folder
    home = places.cache / name
    if not home.exists():
        making = places.cache / f".{name}.{os.getpid()}"
        for source in (folder, *siblings):
            shutil.copytree(source, making / source.name, symlinks=True)
        making.rename(home)
    return home / folder.name


def check_space(folder: Path, needed: int = LEAST_FREE_BYTES) -> None:
    """Refuse to begin what would fill the disk.

    Raises:
        Obstacle: fewer than `needed` bytes are free where `folder` lies.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise Obstacle(
            f"The disk of {folder} has {free / 1024**3:.1f} GiB free and {needed / 1024**3:.1f} "
            "GiB are needed: free some, or set ACTIONSTREAM_CACHE to a folder on another disk."
        )
