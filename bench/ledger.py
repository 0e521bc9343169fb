"""What the ledger costs a record: time, CPU and round trips, against a runner without it.

The real runner, publishing to Kafka, works off records of stages that change one row each, in turn
with the real ledger and with a stand-in that only runs the stage's own statement, in a transaction.
The same statements are run by plain psycopg too: what is left of the ledger's CPU then is
SQLAlchemy's and the ledger's own.
"""

import argparse
import gc
import json
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from typing import Any

import psycopg
import structlog
import uvloop
from sqlalchemy import event, make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.sql.base import Executable

from bench.ledger_cases import CASES, Case, Subject
from bench.percentiles import percentile
from bench.stack import Stack, stack
from schemas.ids import Ids
from streams import consumer, logs
from streams.clients.postgres import Database
from streams.endings import Claimed, Ending
from streams.ledger import Ledger
from streams.retries import Attempts
from streams.runner import Publisher, Runner
from streams.stage import Guarded, Work

_LEASE = timedelta(seconds=15)
WITH, WITHOUT = "with", "without"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench ledger", description=__doc__)
    parser.add_argument("--records", type=int, default=300, help="records of each case (300)")
    parser.add_argument("--warm", type=int, default=30, help="records before them (30)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


class NoLedger(Ledger):
    """Remembers nothing: runs the stage's own statements in one transaction."""

    async def claim(
        self,
        work: Work,  # noqa: ARG002 - named as the ledger names it
        first: Iterable[Executable] = (),  # noqa: ARG002
        resumed: Iterable[Executable] = (),  # noqa: ARG002
    ) -> Claimed:
        """Returns: a claim, at once."""
        return Claimed(1)

    async def commit(self, work: Work, claim: Claimed | None, ending: Ending) -> Ending:  # noqa: ARG002
        """Returns: the ending as it was given."""
        async with self._database.transaction() as connection:
            for each in ending.statements:
                await connection.execute(each.statement if isinstance(each, Guarded) else each)
        return ending


class Journal:
    """What an engine sends to Postgres; `None` stands for a commit."""

    def __init__(self, url: str) -> None:
        engine = create_async_engine(url, pool_size=1)
        self.database = Database(engine)
        self.sent: list[tuple[str, Any] | None] = []
        self.uncached = 0
        event.listen(engine.sync_engine, "before_cursor_execute", self._statement)
        event.listen(engine.sync_engine, "commit", lambda _: self.sent.append(None))
        event.listen(engine.sync_engine, "rollback", lambda _: self.sent.append(None))

    def _statement(self, *sent: Any) -> None:  # noqa: ANN401 - the event's own arguments
        _, _, statement, parameters, context, _ = sent
        self.sent.append((statement, parameters))
        self.uncached += context.cache_hit.name != "CACHE_HIT"

    def clear(self) -> None:
        """Forget what was sent."""
        self.sent, self.uncached = [], 0

    @property
    def round_trips(self) -> int:
        """Returns: how often Postgres was waited for; psycopg sends each BEGIN by itself."""
        return len(self.sent) + self.sent.count(None)

    async def replay(self, connection: psycopg.AsyncConnection) -> None:
        """Send the same again, by psycopg alone."""
        for each in self.sent:
            if each is None:
                await connection.commit()
                continue
            statement, parameters = each
            cursor = await connection.execute(statement.encode(), parameters)
            if cursor.description:
                await cursor.fetchall()


async def timed(call: Callable[[], Awaitable[None]]) -> tuple[float, float]:
    """Returns: microseconds that a call takes, and those of this process's CPU."""
    began, cpu = time.perf_counter(), time.process_time()
    await call()
    return (time.perf_counter() - began) * 1e6, (time.process_time() - cpu) * 1e6


class Meter:
    """Runs records of the cases, with a ledger and without."""

    def __init__(
        self, made: Stack, publisher: Publisher, connection: psycopg.AsyncConnection
    ) -> None:
        settings = made.settings
        url = settings.database_url.get_secret_value()
        self._ids = Ids(settings.id_secret.get_secret_value())
        self._connection = connection
        self._database = Database.connect(url, pool=2)
        self._journal = Journal(url)

        def runners(database: Database) -> dict[str, Runner]:
            ledgers = {WITH: Ledger, WITHOUT: NoLedger}
            return {
                how: Runner(
                    ledger(database, owner="bench", lease=_LEASE),
                    publisher,
                    self._ids,
                    attempts=Attempts(5),
                    grace=_LEASE,
                )
                for how, ledger in ledgers.items()
            }

        self._runners, self._watched = runners(self._database), runners(self._journal.database)

    async def _prepare(self, case: Case, subject: Subject, how: str) -> None:
        async with self._database.transaction() as connection:
            for each in (*subject.remove(), *subject.enter()):
                await connection.execute(each)
        if how == WITH:
            for attempt in case.earlier:
                await self._runners[how].run(case.stage(), subject.record(attempt))

    async def record(self, case: Case, how: str) -> dict[str, tuple[float, float]]:
        """Returns: the times of one record, and those of plain psycopg with its statements."""
        subject = Subject(self._ids)
        stage, record = case.stage(), subject.record(case.attempt)
        await self._prepare(case, subject, how)
        run = await timed(lambda: self._runners[how].run(stage, record))
        await self._prepare(case, subject, how)
        self._journal.clear()
        await self._watched[how].run(stage, record)
        await self._prepare(case, subject, how)
        bare = await timed(lambda: self._journal.replay(self._connection))
        return {"run": run, "bare": bare}

    @property
    def round_trips(self) -> int:
        """Returns: the round trips of the record that was run last."""
        return self._journal.round_trips

    @property
    def uncached(self) -> int:
        """Returns: how many of its statements SQLAlchemy had to compile."""
        return self._journal.uncached

    async def close(self) -> None:
        """Close all connections."""
        await self._database.close()
        await self._journal.database.close()


async def measure(meter: Meter, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Returns: what each case costs, with and without."""
    times: dict[tuple[str, str, str], list[tuple[float, float]]] = defaultdict(list)
    trips: dict[tuple[str, str], int] = {}
    uncached: dict[str, int] = {}
    for number in range(options.warm + options.records):
        for case in CASES:
            for how in (WITH, WITHOUT):
                for what, taken in (await meter.record(case, how)).items():
                    if number >= options.warm:
                        times[case.name, how, what].append(taken)
                trips[case.name, how] = meter.round_trips
                if how == WITH:
                    uncached[case.name] = meter.uncached
    return [
        {
            "case": case.name,
            "round_trips": {how: trips[case.name, how] for how in (WITH, WITHOUT)},
            "uncached_statements": uncached[case.name],
            **{how: shown(times[case.name, how, "run"]) for how in (WITH, WITHOUT)},
            **{f"psycopg_{how}": shown(times[case.name, how, "bare"]) for how in (WITH, WITHOUT)},
        }
        for case in CASES
    ]


def shown(times: list[tuple[float, float]]) -> dict[str, float]:
    """Returns: the percentiles of (wall, CPU) microseconds."""
    wall, cpu = zip(*times, strict=True)
    return {
        "p50_us": percentile(wall, 0.5),
        "p95_us": percentile(wall, 0.95),
        "cpu_p50_us": percentile(cpu, 0.5),
        "cpu_p95_us": percentile(cpu, 0.95),
    }


async def run(made: Stack, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Returns: the figures of all cases."""
    settings = made.settings
    app = consumer.create(settings, group=f"{settings.topic_prefix}bench", folder=made.folder)
    await app.producer.start()
    plain = make_url(settings.database_url.get_secret_value()).set(drivername="postgresql")
    connection = await psycopg.AsyncConnection.connect(plain.render_as_string(hide_password=False))
    meter = Meter(made, consumer.KafkaPublisher(app, prefix=settings.topic_prefix), connection)
    gc.freeze()
    try:
        return await measure(meter, options)
    finally:
        await meter.close()
        await connection.close()
        await app.producer.stop()


def share_above_psycopg(found: dict[str, Any]) -> float:
    """Returns: the share (0..1) of the ledger's CPU that plain psycopg does without."""
    ledger = found[WITH]["cpu_p50_us"] - found[WITHOUT]["cpu_p50_us"]
    needed = found[f"psycopg_{WITH}"]["cpu_p50_us"] - found[f"psycopg_{WITHOUT}"]["cpu_p50_us"]
    return float((ledger - needed) / ledger)


def main() -> int:
    """Run the benchmark and print it."""
    options = _arguments()
    with stack(partitions="4") as made, (made.folder / "records.log").open("w") as log:
        logs.configure(made.settings)
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(log))
        found = uvloop.run(run(made, options))
    if options.json:
        print(json.dumps(found, indent=2))
        return 0
    print("µs a record: p50 / p95 with the ledger, without, and the difference of the p50")
    for each in found:
        trips, ledger, without = each["round_trips"], each[WITH], each[WITHOUT]
        print(f"\n{each['case']}: {trips[WITH]} round trips, {trips[WITHOUT]} without")
        for name, what in (("wall", ""), ("CPU", "cpu_")):
            p50, p95 = f"{what}p50_us", f"{what}p95_us"
            print(
                f"  {name:<4} {ledger[p50]:6.0f} / {ledger[p95]:<6.0f}"
                f" {without[p50]:6.0f} / {without[p95]:<6.0f}"
                f" {ledger[p50] - without[p50]:+7.0f}  x {ledger[p50] / without[p50]:.2f}"
            )
        print(
            f"  {share_above_psycopg(each):.0%} of the ledger's CPU is above psycopg;"
            f" {each['uncached_statements']} statements were compiled anew"
        )
    return 0
