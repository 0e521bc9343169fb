"""The peers of one run on the same servers: the product, the bare routes, Kinto, and pgbench."""

import asyncio
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final, Protocol

import psutil
import psycopg

from bench import bare, cores, kinto, stored
from bench.floor import MOST_SCRIPTS, Floor
from bench.load import Figures, Plan, measure
from bench.operations import BATCH, READS, Known, Sent, of_bare, of_kinto, of_product
from bench.recorded import Recorder, Statement, Writer, script
from bench.stack import await_answer, free_port
from bench.subjects import GATEWAYS, PLAIN, Subjects, plain
from gateway.cursors import Cursors
from gateway.object_lists import Asked
from gateway.principal import Principal
from gateway.queries import object_pages, objects
from gateway.queries.object_pages import Wanted
from gateway.settings import GatewaySettings
from local.servers.postgres import binaries
from schemas.writes import CreateObject, MergeObject, WriteBatch, WriteCollection
from streams.stages import collections

IDS: Final = 5000
"""So many objects, spread over all, are read and changed in turn."""

PAGES: Final = 100
WARM_S: Final = 1.0

_BARE: Final = tuple(name.replace("gateway", "bare") for name in GATEWAYS)
_IDS: Final = """
SELECT object_id FROM objects WHERE collection_id = %(place)s AND sequence %% %(step)s = 0
"""
_KINTO_IDS: Final = """
SELECT id FROM objects WHERE parent_id = %(place)s AND resource_name = 'record'
AND (data ->> 'number')::bigint %% %(step)s = 0
"""
_POSITIONS: Final = """
SELECT to_char(created_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || ' ' || object_id FROM objects
WHERE collection_id = %(place)s AND sequence %% %(step)s = 0 ORDER BY created_at
"""


@dataclass(frozen=True, slots=True)
class Recorded:
    """The statements of the reads: of one object, and of pages, the first of them first."""

    one: Statement
    pages: list[Statement]


@dataclass(frozen=True, slots=True)
class Measured:
    """What a peer did in one measure; `cpu_us` is the CPU of each part for one request."""

    figures: Figures
    cpu_us: Mapping[str, float]


class Peer(Protocol):
    """Whoever can be measured at an operation."""

    def measure(self, operation: str, clients: int, seconds: float) -> Measured | None:
        """Returns: what it did; None where it has no such operation."""


@dataclass(frozen=True, slots=True)
class HTTPPeer:
    """A server that is asked over HTTP."""

    ports: Sequence[int]
    asked: Mapping[str, Sent]
    parts: Mapping[str, Sequence[psutil.Process]]

    def measure(self, operation: str, clients: int, seconds: float) -> Measured | None:
        """Returns: what it did; None where it has no such operation."""
        asked = self.asked.get(operation)
        if asked is None:
            return None
        # Numbers never come again, so that no change is one to what is there already.
        first = int(time.time() * 1000) % 10**8
        plan = Plan(
            self.ports, asked.requests, asked.status, clients, seconds, WARM_S, first, asked.again
        )
        before = cores.spent(self.parts)
        figures = measure(plan)
        sent = max(1, figures.last - first)
        after = cores.spent(self.parts)
        return Measured(
            figures, {name: (after[name] - before[name]) / sent * 1e6 for name in after}
        )


@dataclass(frozen=True, slots=True)
class FloorPeer:
    """Pgbench with a set of scripts for each operation; reads and writes by the role of each."""

    floors: Mapping[str, Floor]
    scripts: Mapping[str, list[str]]

    def measure(self, operation: str, clients: int, seconds: float) -> Measured | None:
        """Returns: what it did; None where it has no such operation."""
        if operation not in self.scripts:
            return None
        floor = self.floors[operation]
        return Measured(floor.measure(self.scripts[operation], clients, max(2, round(seconds))), {})


def peers(subjects: Subjects, count: int) -> dict[str, Peer]:
    """Returns: all peers by name, ready to be asked about so many stored objects."""
    admin, place = plain(subjects.admin), subjects.places[PLAIN]
    known = stored.column(admin, _IDS, place=place, step=max(1, count // IDS))
    positions = [
        tuple(each.split(" "))
        for each in stored.column(admin, _POSITIONS, place=place, step=max(1, count // PAGES))
    ][:-1]
    key = subjects.made.environment["ACTIONSTREAM_API_KEY"]
    cursors = Cursors(subjects.made.settings.id_secret.get_secret_value())
    bound = Asked(PLAIN, None, None, "asc", bare.PAGE, None).bound(_principal(subjects.gpt_id))
    sealed = [cursors.seal(list(position), *bound) for position in positions]
    recorded = asyncio.run(_reads(subjects.gpt_id, known[0], positions))
    return {
        "product": HTTPPeer(
            subjects.ports,
            of_product(key, subjects.gpt_id, PLAIN, Known(known, sealed)),
            subjects.parts(gateway=GATEWAYS, worker=["worker"]),
        ),
        "bare": _bare(subjects, known, recorded),
        "pgbench": _floor(subjects, known, recorded),
        "kinto": _kinto(subjects, count),
    }


def _bare(subjects: Subjects, known: Sequence[str], recorded: Recorded) -> HTTPPeer:
    made = subjects.made
    if _BARE[0] in made.processes:
        made.end(*_BARE)
    one, page = recorded.one, recorded.pages[0]
    given = bare.Given(
        url=plain(subjects.gateway_url),
        gpt_id=subjects.gpt_id,
        connections=GatewaySettings().gateway_database_pool,
        one=one.sql,
        one_parameters=[bare.OBJECT_ID if each == known[0] else each for each in one.parameters],
        page=page.sql,
        later=recorded.pages[1].sql,
        pages=[each.parameters for each in recorded.pages],
    )
    file = made.folder / "bare.json"
    file.write_text(json.dumps(asdict(given)), encoding="utf-8")
    file.chmod(0o600)
    ports = []
    for name in _BARE:
        port = free_port()
        made.start(name, sys.executable, "-m", "bench.bare", str(port), str(file))
        await_answer(f"http://127.0.0.1:{port}/objects")
        ports.append(port)
    asked = of_bare(Known(known), len(recorded.pages))
    return HTTPPeer(ports, asked, subjects.parts(bare=_BARE))


def _kinto(subjects: Subjects, count: int) -> HTTPPeer:
    server = subjects.kinto
    step = max(1, count // IDS)
    known = stored.column(plain(subjects.kinto_url), _KINTO_IDS, place=kinto.COLLECTION, step=step)
    # Its cursors are in the links that it gives, so they are followed from the beginning.
    pages, path = [], f"{kinto.COLLECTION}/records?_limit={bare.PAGE}"
    for _ in range(min(PAGES, count // bare.PAGE - 1)):
        link = server.client.get(path).headers["Next-Page"]
        path = "/records?".join((kinto.COLLECTION, link.partition("?")[2]))
        pages.append(f"/v1{path}")
    return HTTPPeer(
        [server.port], of_kinto(server, Known(known, pages)), subjects.parts(kinto=["kinto"])
    )


def _floor(subjects: Subjects, known: Sequence[str], recorded: Recorded) -> FloorPeer:
    writes = asyncio.run(_writes(subjects, known[0]))
    some = known[:: max(1, len(known) // MOST_SCRIPTS)][:MOST_SCRIPTS]
    with psycopg.connect(plain(subjects.admin)) as connection:
        one = recorded.one.text(connection)
        pages = [each.text(connection) for each in recorded.pages]
        texts = {name: [each.text(connection) for each in done] for name, done in writes.items()}
        scripts = {
            "get": [one.replace(known[0], each) for each in some],
            "list": pages[:1],
            "page": pages[1:],
            "post": [script(texts["post"])],
            "patch": [script(texts["patch"], {known[0]: each}) for each in some],
            "batch": [script(texts["batch"])],
        }
    reads = Floor(binaries(), subjects.gateway_url, subjects.gpt_id)
    changes = Floor(binaries(), subjects.worker_url, subjects.gpt_id)
    floors = {name: reads if name in READS else changes for name in scripts}
    return FloorPeer(floors, scripts)


async def _reads(gpt_id: str, object_id: str, positions: Sequence[tuple[str, str]]) -> Recorded:
    """Returns: the statements of the reads; pages after the first one start at the positions."""
    recorder = Recorder()
    principal, pages = _principal(gpt_id), []
    await objects.by_id(recorder.direct, principal, object_id)
    [one] = recorder.asked
    for after in (None, *positions):
        recorder.asked.clear()
        wanted = Wanted(PLAIN, bare.PAGE, after=after)
        await object_pages.page(recorder.direct, principal, wanted)
        pages.append(recorder.asked[0])
    return Recorded(one, pages)


def _principal(gpt_id: str) -> Principal:
    return Principal(gpt_id, None, "bench", frozenset({"read"}), None)


async def _writes(subjects: Subjects, object_id: str) -> dict[str, list[Statement]]:
    """Returns: the statements of each write, of the second one of its kind."""
    settings = subjects.made.settings
    stage = collections.stage(subjects.ids, collections.limits(settings))
    writer = Writer(stage, settings.database_url.get_secret_value(), subjects.ids, subjects.gpt_id)
    create = CreateObject(body=stored.example())
    change = MergeObject(object_id=object_id, patch={"title": "Entry of tomorrow"})
    return {
        name: await writer.record(WriteCollection(collection=PLAIN, operation=operation))
        for name, operation in (
            ("post", create),
            ("patch", change),
            ("batch", WriteBatch(operations=(create,) * BATCH)),
        )
    }
