"""What is known of a tenant and its keys before a change, and what was decided on it.

Reads gpts and api_keys, under the lock of the tenant's row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.base import Executable

from schemas.tables import API_KEYS, GPTS
from streams.stage import Event, Guarded


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key as it stands."""

    key_id: str
    gpt_id: str
    scopes: tuple[str, ...]
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    replaced_by: str | None = None

    def lives(self, now: datetime) -> bool:
        """Returns: whether it opens anything at this time."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant that is not deleted, with its live keys and those that a change names."""

    gpt_id: str
    now: datetime
    disabled: bool = False
    keys: tuple[KnownKey, ...] = ()

    def key(self, key_id: str) -> KnownKey | None:
        """Returns: its key of this id, ended or not."""
        found = (key for key in self.keys if key.key_id == key_id and key.gpt_id == self.gpt_id)
        return next(found, None)

    def live(self) -> list[KnownKey]:
        """Returns: its keys that open it."""
        return [key for key in self.keys if key.gpt_id == self.gpt_id and key.lives(self.now)]


@dataclass(frozen=True, slots=True)
class Decision:
    """What a change comes to.

    `status` is HTTP's. The answer shows the key `shows`, or else the tenant. Gateways forget the
    keys `stale`; the empty tuple means all of the tenant, None means none. With `gone` the tenant
    has been deleted.
    """

    status: int = 200
    statements: Sequence[Executable | Guarded] = ()
    events: Sequence[Event] = ()
    shows: str | None = None
    stale: tuple[str, ...] | None = None
    gone: bool = False


async def lock(connection: AsyncConnection, gpt_ids: Sequence[str]) -> None:
    """Lock the rows of these tenants, as the commits that only live tenants may make await."""
    rows = GPTS.c
    query = select(rows.gpt_id).where(rows.gpt_id.in_(gpt_ids)).order_by(rows.gpt_id)
    await connection.execute(query.with_for_update())


async def find(
    connection: AsyncConnection, gpt_id: str, named: Sequence[str]
) -> Tenant | datetime | None:
    """Returns: a tenant with its live keys and those named; when it was deleted; None: never was.

    Named keys are found with whatever tenant they are of.
    """
    query = select(GPTS.c.disabled_at, GPTS.c.deleted_at, func.clock_timestamp().label("now"))
    row = (await connection.execute(query.where(GPTS.c.gpt_id == gpt_id))).one_or_none()
    if row is None or row.deleted_at is not None:
        return row and row.deleted_at
    columns = API_KEYS.c
    live = columns.revoked_at.is_(None) & (
        columns.expires_at.is_(None) | (columns.expires_at > func.clock_timestamp())
    )
    keys = select(
        columns.key_id,
        columns.gpt_id,
        columns.scopes,
        columns.expires_at,
        columns.revoked_at,
        columns.replaced_by,
    ).where(or_((columns.gpt_id == gpt_id) & live, columns.key_id.in_(named)))
    found = (await connection.execute(keys)).all()
    return Tenant(
        gpt_id,
        row.now,
        row.disabled_at is not None,
        tuple(KnownKey(**{**each._asdict(), "scopes": tuple(each.scopes)}) for each in found),
    )


async def shown(connection: AsyncConnection, gpt_id: str, key_id: str | None) -> dict[str, Any]:
    """Returns: the key as answers show it, or else the tenant; times are UTC, RFC 3339."""
    table = GPTS if key_id is None else API_KEYS
    where = GPTS.c.gpt_id == gpt_id if key_id is None else API_KEYS.c.key_id == key_id
    hidden = {"hash", "request_id"}
    columns = [column for column in table.c if column.name not in hidden]
    row = (await connection.execute(select(*columns).where(where))).mappings().one()
    return {name: _plain(value) for name, value in row.items()}


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value
