"""One run: load and faults side by side, then quiet, then the questions."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator

import psycopg
from confluent_kafka import KafkaException

from tests.chaos import afterwards, checks, ledgers, measures, rolling, stores
from tests.chaos.estate import Estate, running
from tests.chaos.faults import Faults
from tests.chaos.journal import Journal
from tests.chaos.load import Load
from tests.chaos.options import Options
from tests.chaos.orders import COLLECTION, TROUBLE
from tests.chaos.outside import Outside
from tests.chaos.report import Report, text
from tests.chaos.truth import FINAL, GAVE_UP, Finding, Truth, gather

CHECKS = (
    checks.requests,
    checks.answers,
    checks.documents,
    checks.last_update,
    checks.index,
    checks.objects,
    ledgers.steps,
    ledgers.dead_letters,
    ledgers.results,
    ledgers.events,
    stores.objects,
    stores.counts,
    stores.feed,
    stores.events,
    stores.forgotten,
    stores.troubled,
)
_LOOK_S = 2.0
#: Load before the first fault and after the last, so that each recovery can be seen.
_CALM_S = 5.0
_FINAL = ", ".join(f"'{status}'" for status in sorted(FINAL))
_PROGRESS = f"""SELECT
    (SELECT count(*) FROM requests WHERE status IN ({_FINAL})) AS final,
    (SELECT count(*) FROM requests WHERE status NOT IN ({_FINAL})) AS open,
    (SELECT count(*) FROM steps WHERE state NOT IN ('done', 'dead', 'cancelled')) AS steps,
    (SELECT count(*) FROM objects WHERE expires_at IS NOT NULL AND deleted_at IS NULL) AS ending,
    (SELECT count(*) FROM steps) AS settled"""  # noqa: S608 - our own words
_GAVE_UP = f"SELECT 1 FROM dead_letters WHERE error = '{GAVE_UP}' AND state = 'dead'"  # noqa: S608 - our own word
_TROUBLED = """SELECT 1 FROM dead_letters
    WHERE stage = 'collections' AND error = 'internal_error' AND state = 'dead'"""
#: A bug of the stage that stores objects, which some objects meet until it is mended.
_BUG = (
    """CREATE FUNCTION chaos() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'a bug' USING ERRCODE = '22012'; END $$""",
    f"""CREATE TRIGGER chaos BEFORE INSERT OR UPDATE ON objects
    FOR EACH ROW WHEN (NEW.body ? '{TROUBLE}') EXECUTE FUNCTION chaos()""",
)
_MENDED = ("DROP TRIGGER chaos ON objects", "DROP FUNCTION chaos()")
_OBJECTS = f"""SELECT o.object_id, o.version FROM objects o JOIN collections c USING (collection_id)
    WHERE c.name = '{COLLECTION}' AND o.key LIKE 'k%' AND o.deleted_at IS NULL
    ORDER BY o.key"""  # noqa: S608 - our own name
_COMPLETED = "SELECT document_id FROM documents WHERE status = 'completed' AND deleted_at IS NULL"


class Hangs(Exception):
    """Nothing has moved for so long that nothing will."""


async def run(options: Options, say: Callable[[str], None]) -> Report:
    """Break everything under load, then look. Returns: what was found.

    Raises: Obstacle: the servers could not be had.
    """
    options.report.mkdir(parents=True, exist_ok=True)
    journal = Journal(options.report / "journal.jsonl")
    try:
        async with running(options, say) as estate:
            report = await _broken(estate, journal, options, say)
    finally:
        journal.close()
    (options.report / "report.md").write_text(text(report), encoding="utf-8")
    return report


async def _broken(
    estate: Estate, journal: Journal, options: Options, say: Callable[[str], None]
) -> Report:
    began = time.monotonic()
    outside = Outside(estate.direct)
    load = Load(estate, journal, options.seed)
    faults = Faults(estate, journal, options)
    found: list[Finding] = []
    rolled: rolling.Rolling | None = None
    watch = _Watch(outside, journal, options.patience * 60, say, faults)
    await outside.execute(*_BUG)
    try:
        async with asyncio.TaskGroup() as group:
            always = [
                group.create_task(each)
                for each in (
                    estate.supervisor.failed(),
                    load.pump(),
                    load.look(),
                    watch.run(),
                )
            ]
            if options.rolling and not options.short:
                say("measuring the steady state and a rolling restart")
                rolled = await rolling.measure(estate, load, outside)
            pace = group.create_task(load.run(options.load))
            await asyncio.sleep(_CALM_S)
            say("the faults begin")
            await faults.run()
            await asyncio.sleep(_CALM_S)
            pace.cancel()
            say("no more faults and no more load; waiting until all is done")
            await load.finish()
            await watch.until_quiet()
            await outside.execute(*_MENDED)
            for query, error in ((_GAVE_UP, GAVE_UP), (_TROUBLED, "internal_error")):
                if await outside.rows(query):
                    say(f"sending again what ended with {error}")
                    found += await afterwards.redrive(estate.direct, error)
            await watch.until_quiet()
            found += await afterwards.verify(estate.direct)
            for task in always:
                task.cancel()
    except* Hangs as hangs:
        found += [Finding("unfinished", str(each)) for each in hangs.exceptions]
    finally:
        await faults.stop()
        await load.close()
    truth = await gather(outside, list(journal.sent.values()), journal.gone)
    found += _findings(truth)
    return Report(
        seed=options.seed,
        seconds=time.monotonic() - began,
        faults=faults.done,
        kills=faults.kills,
        truth=truth,
        findings=found,
        recoveries=measures.recoveries(truth, faults.done),
        calls=measures.model_calls(estate.model_log, truth),
        stall=measures.longest_stall(truth),
        life=measures.longest_life(truth),
        rolled=rolled,
    )


def _findings(truth: Truth) -> Iterator[Finding]:
    for check in CHECKS:
        yield from check(truth)


class _Watch:
    """Looks at the progress from outside; nothing moving for too long is a hang."""

    def __init__(
        self,
        outside: Outside,
        journal: Journal,
        patience_s: float,
        say: Callable[[str], None],
        faults: Faults,
    ) -> None:
        self._outside = outside
        self._journal = journal
        self._patience_s = patience_s
        self._say = say
        self._faults = faults
        self._seen: object = None
        self._moved = time.monotonic()
        self._lag: dict[str, int] = {}
        self._waits = asyncio.Event()

    async def run(self) -> None:
        """Look again and again. Raises: Hangs."""
        spoken = 0.0
        while True:
            await asyncio.sleep(_LOOK_S)
            with contextlib.suppress(psycopg.OperationalError):
                [now] = await self._outside.rows(_PROGRESS)
                completed = await self._outside.rows(_COMPLETED)
                there = await self._outside.rows(_OBJECTS)
                self._journal.objects = [(row["object_id"], row["version"]) for row in there]
                self._journal.completed = [row["document_id"] for row in completed]
                self._move((now["final"], now["settled"], now["open"]))
                if time.monotonic() - spoken > 20:
                    spoken = time.monotonic()
                    kills = self._faults.kills.total()
                    sent = len(self._journal.sent)
                    self._say(f"{kills} kills, {sent} sent, {now['final']} final")
            if time.monotonic() - self._moved > self._patience_s:
                raise Hangs(f"nothing has moved for {self._patience_s:.0f} s: {self._seen}")

    def _move(self, seen: object) -> None:
        if seen != self._seen:
            self._seen, self._moved = seen, time.monotonic()

    async def until_quiet(self) -> None:
        """Wait until every request is final, every step settled, and every record read."""
        while True:
            with contextlib.suppress(psycopg.OperationalError, KafkaException):
                [now] = await self._outside.rows(_PROGRESS)
                if (
                    not now["open"]
                    and not now["steps"]
                    and not now["ending"]
                    and not await self._outside.lag()
                ):
                    return
            await asyncio.sleep(_LOOK_S)
