"""Which worker delivers to which endpoint: claimed under a lease, worked off, given back.

All times are the database's. An endpoint has one worker at a time; a worker that dies keeps it for
as long as its lease, and what it had delivered but not written is delivered again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.states import DeliveryState
from streams.collections import rows
from streams.webhooks import due

PAGE: Final = 20
_ASIDES: Final = 5
"""Deliveries of one claim, in order and beside; so many at most are repeated after a crash."""

# A tenant that is disabled gets nothing until it is enabled again.
SERVED: Final = """NOT EXISTS (
            SELECT FROM gpts g WHERE g.gpt_id = webhooks.gpt_id
                AND (g.disabled_at IS NOT NULL OR g.deleted_at IS NOT NULL))"""
# Endpoints that fail or are slow have slots of their own, so that they take none of the others'.
_CLAIM: Final = f"""
WITH sound AS (
    SELECT webhook_id FROM webhooks
    WHERE due_at <= clock_timestamp() AND failures = 0 AND NOT slow
        AND (lease_until IS NULL OR lease_until < clock_timestamp())
        AND {SERVED}
    ORDER BY due_at LIMIT %(sound)s FOR NO KEY UPDATE SKIP LOCKED
), strained AS (
    SELECT webhook_id FROM webhooks
    WHERE due_at <= clock_timestamp() AND (failures > 0 OR slow)
        AND (lease_until IS NULL OR lease_until < clock_timestamp())
        AND {SERVED}
    ORDER BY due_at LIMIT %(strained)s FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE webhooks w SET owner = %(owner)s, lease_until = clock_timestamp() + %(lease)s::interval
WHERE webhook_id IN (SELECT webhook_id FROM sound UNION ALL SELECT webhook_id FROM strained)
RETURNING webhook_id, gpt_id, url, version, failures, failing_since,
    failures > 0 OR slow AS strained,
    CASE WHEN old_secrets_end_at > clock_timestamp() THEN secrets ELSE secrets[1:1] END AS secrets,
    coalesce(failing_since < clock_timestamp() - %(pause_after)s::interval, false) AS spent,
    state = 'active' AND (held_until IS NULL OR held_until <= clock_timestamp()) AS is_open
"""  # noqa: S608 - of our own parts
# What is urgent goes first, and alone where its endpoint waits or is paused. What failed for too
# long to hold up the others comes behind them, a few of it each time.
_LOAD: Final = """
SELECT n.webhook_id, d.delivery_id, d.event_type, d.urgent, d.attempts, d.attempts_before,
    d.retry_at IS NOT NULL AS aside, e.event_id AS id, e.sequence, e.object_id AS subject,
    e.request_id AS requestid, e.correlation_id AS correlationid, e.batch_id AS batchid,
    e.created_at AS time, e.data
FROM unnest(%(webhook_ids)s::text[], %(open)s::bool[]) AS n (webhook_id, is_open)
CROSS JOIN LATERAL (
    (SELECT * FROM webhook_deliveries p
     WHERE p.webhook_id = n.webhook_id AND p.state = 'pending' AND p.urgent
     ORDER BY p.sequence LIMIT %(page)s)
    UNION ALL
    (SELECT * FROM webhook_deliveries p
     WHERE p.webhook_id = n.webhook_id AND p.state = 'pending' AND NOT p.urgent
         AND p.retry_at IS NULL AND n.is_open
     ORDER BY p.sequence LIMIT %(page)s)
    UNION ALL
    (SELECT * FROM webhook_deliveries p
     WHERE p.webhook_id = n.webhook_id AND p.state = 'pending' AND NOT p.urgent
         AND p.retry_at <= clock_timestamp() AND n.is_open
     ORDER BY p.retry_at LIMIT %(asides)s)
) AS d
LEFT JOIN events e ON e.gpt_id = d.gpt_id AND e.sequence = d.sequence
ORDER BY n.webhook_id, d.urgent DESC, d.retry_at NULLS FIRST, d.sequence
"""
# Whose lease is over has nothing to say any more, but what was delivered was.
_WRITE: Final = """
UPDATE webhook_deliveries d SET state = n.state, urgent = n.urgent, attempts = n.attempts,
    retry_at = clock_timestamp() + n.retry_s * interval '1 second', status_code = n.status_code,
    latency_ms = n.latency_ms, excerpt = n.excerpt, error = n.error,
    tried_at = CASE WHEN n.state = 'skipped' THEN d.tried_at ELSE clock_timestamp() END,
    settled_at = CASE WHEN n.state <> 'pending' THEN clock_timestamp() END
FROM unnest(%b::text[], %b::text[], %b::bool[], %b::int[], %b::float8[], %b::int[], %b::int[],
            %b::text[], %b::text[], %b::text[])
    AS n (delivery_id, state, urgent, attempts, retry_s, status_code, latency_ms, excerpt, error,
          owner),
    webhooks w
WHERE d.delivery_id = n.delivery_id AND d.state = 'pending' AND w.webhook_id = d.webhook_id
    AND (w.owner = n.owner OR n.state = 'delivered')
"""
# A person who changed the endpoint meanwhile has begun its failures anew. An endpoint that fails is
# tried once more when its time is over, so that it is paused then. A test that fails leaves it as
# long alone as it was to be.
_FAILURES: Final = """
UPDATE webhooks w SET failures = n.failures, slow = n.slow,
    failing_since = CASE WHEN n.failures = 0 THEN NULL
                         ELSE coalesce(n.since, clock_timestamp()) END,
    held_until = CASE WHEN n.failures > 0 AND n.held_s IS NULL THEN w.held_until ELSE least(
        clock_timestamp() + n.held_s * interval '1 second',
        CASE WHEN n.held_s > 0 AND n.since + n.pause_after > clock_timestamp()
             THEN n.since + n.pause_after END) END
FROM unnest(%b::text[], %b::text[], %b::bigint[], %b::int[], %s::timestamptz[], %b::bool[],
            %b::float8[], %s::interval[])
    AS n (webhook_id, owner, version, failures, since, slow, held_s, pause_after)
WHERE w.webhook_id = n.webhook_id AND w.owner = n.owner AND w.version = n.version
"""
_GIVE_BACK: Final = """
UPDATE webhooks w SET owner = NULL, lease_until = NULL
FROM unnest(%b::text[], %b::text[]) AS n (webhook_id, owner)
WHERE w.webhook_id = n.webhook_id AND w.owner = n.owner
"""
_EVENT: Final = (
    "id",
    "sequence",
    "subject",
    "requestid",
    "correlationid",
    "batchid",
    "time",
    "data",
)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery that is due; without an event it is too late for it.

    One `aside` has failed so often that it no longer holds up those behind it.
    """

    delivery_id: str
    event_type: str
    urgent: bool
    attempts: int
    attempts_before: int
    aside: bool
    event: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Claimed:
    """An endpoint under this worker's lease, and what is due there, in order.

    One that is `spent` has failed for so long that one more failure pauses it.
    """

    webhook_id: str
    gpt_id: str
    url: str
    version: int
    failures: int
    failing_since: datetime | None
    strained: bool
    secrets: tuple[bytes, ...]
    spent: bool
    due: list[Delivery] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Written:
    """What an attempt made of a delivery; with `retry_s` it is tried again beside the others."""

    delivery_id: str
    state: DeliveryState
    urgent: bool
    attempts: int
    retry_s: float | None = None
    status_code: int | None = None
    latency_ms: int | None = None
    excerpt: str | None = None
    error: str | None = None

    def row(self) -> tuple[Any, ...]:
        """Returns: its columns, as they are written."""
        return tuple(getattr(self, name) for name in self.__slots__)


@dataclass(frozen=True, slots=True)
class Standing:
    """How an endpoint stands after a run: failures in a row, and for how long it is left alone.

    One that has failed, and of which this is not known anew, is left alone as long as before.
    """

    failures: int
    failing_since: datetime | None
    slow: bool
    held_s: float | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """Who claims, for how long, and after which time of failures an endpoint is spent."""

    owner: str
    lease: timedelta
    pause_after: timedelta


@dataclass(frozen=True, slots=True)
class Done:
    """What a run has come to; without a standing nothing is known of the endpoint that was not.

    `pause` says why the endpoint is to be paused, if it is.
    """

    terms: Terms
    claimed: Claimed
    written: Sequence[Written]
    standing: Standing | None
    pause: str | None

    def row(self) -> tuple[Any, ...] | None:
        """Returns: how the endpoint stands, as it is written."""
        stands = self.standing
        if stands is None:
            return None
        place = (self.claimed.webhook_id, self.terms.owner, self.claimed.version)
        since, pause_after = stands.failing_since, self.terms.pause_after
        return (*place, stands.failures, since, stands.slow, stands.held_s, pause_after)


async def claim(
    connection: AsyncConnection, terms: Terms, *, sound: int, strained: int
) -> list[Claimed]:
    """Returns: up to so many endpoints that are due, of each kind, with what is due there."""
    given = {
        "owner": terms.owner,
        "lease": terms.lease,
        "pause_after": terms.pause_after,
        "sound": sound,
        "strained": strained,
    }
    found = (await connection.exec_driver_sql(_CLAIM, given)).mappings().all()
    taken = {row["webhook_id"]: _claimed(row) for row in found}
    if taken:
        asked = {
            "webhook_ids": [*taken],
            "open": [row["is_open"] for row in found],
            "page": PAGE,
            "asides": _ASIDES,
        }
        for row in (await connection.exec_driver_sql(_LOAD, asked)).mappings():
            claimed = taken[row["webhook_id"]]
            claimed.due.append(_delivery(claimed, row))
    return list(taken.values())


async def give_back(connection: AsyncConnection, done: Sequence[Done]) -> None:
    """Write what became of runs, and when their endpoints are to be tried next."""
    webhook_ids = sorted({each.claimed.webhook_id for each in done})
    await due.lock(connection, webhook_ids)
    written = [(*one.row(), each.terms.owner) for each in done for one in each.written]
    await rows.write(connection, _WRITE, written)
    standings = [row for each in done if (row := each.row()) is not None]
    await rows.write(connection, _FAILURES, standings)
    owners = [(each.claimed.webhook_id, each.terms.owner) for each in done]
    await rows.write(connection, _GIVE_BACK, owners)
    await due.write(connection, webhook_ids)


def _claimed(row: Mapping[Any, Any]) -> Claimed:
    names = [name for name in Claimed.__slots__ if name in row and name != "secrets"]
    secrets = tuple(bytes(each) for each in row["secrets"])
    return Claimed(secrets=secrets, **{name: row[name] for name in names})


def _delivery(claimed: Claimed, row: Mapping[Any, Any]) -> Delivery:
    event = {"gptid": claimed.gpt_id, "type": row["event_type"]}
    event |= {name: row[name] for name in _EVENT}
    return Delivery(
        row["delivery_id"],
        row["event_type"],
        row["urgent"],
        row["attempts"],
        row["attempts_before"],
        row["aside"],
        None if row["id"] is None else event,
    )
