"""Settings of what makes, keeps and restores backups."""

from datetime import time
from pathlib import Path

from pydantic import Field, SecretStr, field_validator, model_validator

from schemas.settings import LogSettings, StorageSettings
from streams.settings import MetricsSettings


class BackupSettings(LogSettings, StorageSettings, MetricsSettings):
    """What makes, keeps and restores backups needs to know."""

    database_url: SecretStr | None = Field(
        default=None, description="Postgres URL; read where admin_database_url is absent."
    )
    admin_database_url: SecretStr | None = Field(
        default=None, description="Postgres URL of the role that owns the tables."
    )
    backup_target: str | None = Field(
        default=None,
        description="Where backups are kept: `s3://bucket/prefix`, in the object store but not in "
        "the documents' bucket, or a folder. One for each installation.",
    )
    backup_at: time = Field(
        default=time(2, 30), description="When the nightly backup is made, UTC."
    )
    backup_keep_days: int = Field(
        default=14, ge=0, description="Backups younger than so many days are kept."
    )
    backup_keep_count: int = Field(
        default=7, ge=1, description="So many good backups are kept, however old they are."
    )
    backup_drill_days: int = Field(
        default=7,
        ge=0,
        description="Once in so many nights the schedule holds a drill, which needs room for a "
        "second copy on the server; 0: never. Fewer than backup_keep_days: a drill is forgotten "
        "with its backup, and then the next night holds another.",
    )
    postgres_bin: Path | None = Field(
        default=None,
        description="Folder of pg_dump and pg_restore, at least as new as the server; the PATH's "
        "if absent.",
    )

    @field_validator("backup_at")
    @classmethod
    def _without_zone(cls, at: time) -> time:
        if at.tzinfo is not None:
            message = "the time is in UTC; leave the zone out"
            raise ValueError(message)
        return at

    @model_validator(mode="after")
    def _target_stands_apart(self) -> "BackupSettings":
        if not self.backup_target:
            return self
        scheme, mark, rest = self.backup_target.partition("://")
        if mark and (scheme != "s3" or rest.startswith("/") or not rest):
            message = "backup_target must be s3://bucket/prefix or the path of a folder"
            raise ValueError(message)
        if mark and rest.partition("/")[0] == self.s3_bucket:
            message = (
                "backup_target must be another bucket than the documents' own, or what destroys "
                "that one takes the backups with it"
            )
            raise ValueError(message)
        return self
