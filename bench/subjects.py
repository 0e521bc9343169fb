"""What is measured: the product and Kinto as they run on the same servers, and what they hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import httpx2
import psutil
import psycopg
from psycopg import sql
from sqlalchemy import URL, make_url

from bench import cores, kinto, stored
from bench.stack import Stack
from local.environment import LocalSettings
from local.places import where
from schemas.ids import Ids

PLAIN: Final = "diary"
"""A collection that declares no indexes, on which all peers are compared."""

INDEXED: Final = "indexed"
"""One that declares `stored.INDEXES`, on which filters are measured."""

FRAGMENTS: Final = "fragments"
"""One whose text is found by parts of words too."""

GATEWAYS: Final = ("gateway-1", "gateway-2")
"""The product's processes that answer, as many as Kinto has, and as there are of the bare route."""

LIMITS: Final = "key:6000000/m,write:6000000/m"
"""The key's limits, which the measures do not reach; they are applied none the less."""


def plain(url: URL) -> str:
    """Returns: the address as psycopg itself takes it."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


@dataclass(frozen=True, slots=True)
class Subjects:
    """The product and Kinto as they run, and where all peers find their database."""

    made: Stack
    client: httpx2.Client
    ports: Sequence[int]
    """Where the gateways listen."""
    kinto: kinto.Kinto
    kinto_url: URL
    ids: Ids
    places: Mapping[str, str]
    """Ids of the collections, by name."""

    @property
    def admin(self) -> URL:
        """Returns: the product's database, for its owner."""
        url = self.made.settings.admin_database_url or self.made.settings.database_url
        return make_url(url.get_secret_value())

    @property
    def gateway_url(self) -> URL:
        """Returns: the product's database, as the gateway asks it."""
        return make_url(self.made.environment["ACTIONSTREAM_GATEWAY_DATABASE_URL"])

    @property
    def worker_url(self) -> URL:
        """Returns: the product's database, as the workers write it."""
        return make_url(self.made.settings.database_url.get_secret_value())

    @property
    def gpt_id(self) -> str:
        """Returns: the tenant."""
        return self.made.settings.gpt_id

    def parts(self, **own: Sequence[str]) -> dict[str, list[psutil.Process]]:
        """Returns: the processes whose CPU is told: those named, and the servers below them."""
        found = {
            part: [psutil.Process(self.made.processes[name].pid) for name in names]
            for part, names in own.items()
        }
        brokers = self.made.settings.kafka_bootstrap.partition(",")[0]
        ports = {"postgres": self.admin.port or 5432, "kafka": int(brokers.rpartition(":")[2])}
        for name, port in ports.items():
            if (process := cores.listening(port)) is not None:
                found[name] = [process]
        return found


def start(made: Stack) -> Subjects:
    """Start the product and Kinto, with three collections in the one and one in the other.

    Returns: both; their processes end with the stack.
    """
    url = made.settings.admin_database_url or made.settings.database_url
    admin = make_url(url.get_secret_value())
    name = f"{admin.database}-kinto"
    with psycopg.connect(plain(admin), autocommit=True) as connection:
        connection.execute(
            "UPDATE api_keys SET rate_limits = %s WHERE gpt_id = %s",
            (LIMITS, made.settings.gpt_id),
        )
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    programs = kinto.provision(where(made.folder, LocalSettings().cache).cache)
    peer = kinto.start(made, programs, admin.set(database=name))
    made.worker("worker")
    client, *others = [made.gateway(name) for name in GATEWAYS]
    ports = [each.base_url.port or 80 for each in (client, *others)]
    places = {}
    declared = {PLAIN: {}, INDEXED: stored.INDEXES, FRAGMENTS: stored.FRAGMENTS}
    for collection, indexes in declared.items():
        path = f"/v1/gpts/{made.settings.gpt_id}/collections"
        client.post(path, json={"name": collection, "indexes": indexes}).raise_for_status()
        query = "SELECT collection_id FROM collections WHERE name = %(name)s"
        [places[collection]] = stored.column(plain(admin), query, name=collection)
    ids = Ids(made.settings.id_secret.get_secret_value())
    return Subjects(made, client, ports, peer, admin.set(database=name), ids, places)


def fill(subjects: Subjects, count: int) -> None:
    """Have each collection of each peer hold so many objects."""
    places = [
        stored.Place(subjects.gpt_id, subjects.places[PLAIN], indexed=False),
        stored.Place(subjects.gpt_id, subjects.places[INDEXED], indexed=True),
        stored.Place(subjects.gpt_id, subjects.places[FRAGMENTS], indexed=True, fragments=True),
    ]
    stored.enter(plain(subjects.admin), subjects.ids, places, count)
    stored.enter_into_kinto(plain(subjects.kinto_url), count)
