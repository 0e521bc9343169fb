"""The estate: which servers a run has, on which ports, and the settings that lead to them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from local import maven, secrets_file
from local import places as places_module
from local.environment import LocalSettings
from local.places import Places
from local.ports import HOST, Ports
from local.program import Program
from local.servers import kafka, models, opensearch, postgres, s3

BUCKET = "actionstream"
#: Of the key that is made here: whoever tries the product, or measures it, is its only client.
RATE_LIMITS = "key:60000/m,write:60000/m"
#: Where webhooks of a local run may lead beside the public internet: to whoever tries them out.
LOOPBACK = '["127.0.0.0/8"]'


@dataclass(frozen=True)
class Estate:
    """The servers of one run, with the variables that its programs and clients are given.

    Attributes:
        places: where everything is kept.
        ports: where everything listens.
        settings: of the local run.
        servers: what is started first.
        variables: addresses and secrets by name, for the environment of a program.
        others: names of the ports that later programs will need.
    """

    places: Places
    ports: Ports
    settings: LocalSettings
    servers: tuple[Program, ...]
    variables: dict[str, str]
    others: tuple[str, ...] = ()

    def listening(self) -> dict[str, int]:
        """Returns: the ports by name that the servers, and the `others` named, will listen on."""
        names = {server.name for server in self.servers} | set(self.others)
        return {
            name: port
            for name, port in self.ports.as_dict().items()
            # `kafka_controller` belongs to `kafka`; `worker_1` is named in full.
            if name in names or name.split("_")[0] in names
        }

    def with_model_server(self) -> "Estate":
        """Returns: the same estate with the local model server."""
        return replace(self, servers=(*self.servers, models.describe(self.places, self.ports)))

    def fetch(self, report: Callable[[str], None]) -> None:
        """Bring what the servers need into the cache; quick when it is there.

        Raises:
            Obstacle: something could not be had.
        """
        for server in self.servers:
            server.fetch(report)
        maven.forget_repository(self.places)


def plan(state: Path, ports: Ports, settings: LocalSettings, *, throwaway: bool = False) -> Estate:
    """Plan the servers of a run.

    Args:
        state: its folder of secrets, logs and records.
        ports: where they listen.
        settings: of the local run.
        throwaway: whether the data is thrown away after the run, so need not survive a power cut.

    Returns: the estate; nothing is started or written except secrets.
    """
    places = places_module.locate(state, settings.cache)
    secret = secrets_file.keep(places.state)
    admin = secret["ACTIONSTREAM_ADMIN_PASSWORD"]
    servers = (
        kafka.describe(places, ports, settings),
        postgres.describe(places, ports, admin, options=postgres.QUICK if throwaway else ()),
        opensearch.describe(places, ports, settings),
        s3.describe(
            places,
            ports,
            settings,
            key=secret["ACTIONSTREAM_S3_ACCESS_KEY"],
            secret=secret["ACTIONSTREAM_S3_SECRET_KEY"],
        ),
    )
    variables = {
        **secret,
        **_addresses(ports, secret),
        "ACTIONSTREAM_KEY_ENV": secrets_file.KEY_ENV,
        "ACTIONSTREAM_API_KEY_RATE_LIMITS": RATE_LIMITS,
        "ACTIONSTREAM_WEBHOOK_ALLOWED_NETWORKS": LOOPBACK,
        "ACTIONSTREAM_POSTGRES_BIN": str(postgres.binaries()),
        "ACTIONSTREAM_BACKUP_TARGET": str(places.backups),
    }
    secrets_file.write(places.state, variables)
    return Estate(places, ports, settings, servers, variables)


def _addresses(ports: Ports, secret: dict[str, str]) -> dict[str, str]:
    def database(role: str, password: str) -> str:
        return postgres.url(ports, role, secret[password], "psycopg")

    return {
        "ACTIONSTREAM_KAFKA_BOOTSTRAP": f"{HOST}:{ports.kafka}",
        "ACTIONSTREAM_ADMIN_DATABASE_URL": database(
            postgres.SUPERUSER, "ACTIONSTREAM_ADMIN_PASSWORD"
        ),
        "ACTIONSTREAM_DATABASE_URL": database("streams", "ACTIONSTREAM_STREAMS_PASSWORD"),
        "ACTIONSTREAM_GATEWAY_DATABASE_URL": database("gateway", "ACTIONSTREAM_GATEWAY_PASSWORD"),
        "ACTIONSTREAM_OPENSEARCH_URL": f"http://{HOST}:{ports.opensearch}",
        "ACTIONSTREAM_S3_ENDPOINT": f"http://{HOST}:{ports.s3}",
        "ACTIONSTREAM_S3_BUCKET": BUCKET,
        "ACTIONSTREAM_OLLAMA_URL": f"http://{HOST}:{ports.models}",
        "ACTIONSTREAM_GATEWAY_URL": f"http://{HOST}:{ports.gateway}",
    }
