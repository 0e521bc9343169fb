"""What is known of a backup: its name, its manifest, and what a later look at it found."""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, NonNegativeInt

from streams.backup.errors import BadBackup

DUMP: Final = "database.dump"
MANIFEST: Final = "manifest.json"
VERDICT: Final = "verdict.json"
REHEARSAL: Final = "drill.json"

NAME: Final = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}")
_TIME: Final = "%Y%m%dT%H%M%SZ"


def named(now: datetime) -> str:
    """Returns: a name for a backup that begins now; names sort by time."""
    return f"{now.astimezone(UTC).strftime(_TIME)}-{secrets.token_hex(3)}"


class Manifest(BaseModel):
    """What a backup holds. It is written last, once the dump was read back and found whole."""

    model_config = ConfigDict(frozen=True)

    format: Literal[1] = 1
    name: str
    database: str
    started_at: AwareDatetime
    finished_at: AwareDatetime
    size_bytes: NonNegativeInt
    sha256: str
    tables: dict[str, NonNegativeInt]
    """Rows by `schema.table`, counted in the snapshot that was dumped."""
    revision: str
    """Of the migrations."""
    product_version: str
    server_version: str
    dump_version: str

    @property
    def duration_s(self) -> float:
        """Returns: seconds that it took, reading it back included."""
        return (self.finished_at - self.started_at).total_seconds()


class Verdict(BaseModel):
    """What the last look at a stored dump found; `flaw` is None where all was well."""

    model_config = ConfigDict(frozen=True)

    checked_at: AwareDatetime
    flaw: str | None


class Rehearsal(BaseModel):
    """What the last drill of a backup found; without `differences` all was there."""

    model_config = ConfigDict(frozen=True)

    held_at: AwareDatetime
    differences: list[str]


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup at the target; `manifest` is None where it cannot be read."""

    name: str
    manifest: Manifest | None
    verdict: Verdict | None = None
    rehearsal: Rehearsal | None = None

    @property
    def started_at(self) -> datetime:
        """Returns: when its making began, by its name."""
        return datetime.strptime(self.name.partition("-")[0], _TIME).replace(tzinfo=UTC)

    @property
    def flaw(self) -> str | None:
        """Returns: why it is no good; None for one that was whole when it was last looked at."""
        if self.manifest is None:
            return "its manifest cannot be read"
        return None if self.verdict is None else self.verdict.flaw

    @property
    def good(self) -> bool:
        """Returns: whether it was whole when it was last looked at."""
        return self.flaw is None

    def known(self) -> Manifest:
        """Returns: its manifest. Raises: BadBackup: that cannot be read."""
        if self.manifest is None:
            raise BadBackup(f"{self.name}: {self.flaw}")
        return self.manifest

    @property
    def checked_at(self) -> datetime | None:
        """Returns: when its dump was last read and compared; None if never."""
        if self.verdict is not None:
            return self.verdict.checked_at
        return None if self.manifest is None else self.manifest.finished_at


def rehearsed_at(backups: Sequence[Backup]) -> datetime | None:
    """Returns: when a drill last found all there; None if none did, or its backup is gone."""
    held = [one.rehearsal for one in backups if one.rehearsal is not None]
    return max((one.held_at for one in held if not one.differences), default=None)


def newest_good(backups: Sequence[Backup]) -> Backup | None:
    """Returns: the youngest that is good; None where there is none."""
    return max((one for one in backups if one.good), key=lambda one: one.name, default=None)
