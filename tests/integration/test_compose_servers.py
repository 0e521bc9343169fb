"""Servers set up from their environment in `docker-compose.yml`, by the programs of their images.

Only what the images' own scripts begin with: whether the file starts is not known here.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from local import java, maven, ports
from local import places as places_module
from local.environment import LocalSettings, bare
from local.oneshot import run
from local.places import Places
from local.servers import postgres

FILE = Path(__file__).parents[2] / "docker-compose.yml"
SERVICES: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))["services"]
LOGGING = "Configuration: {Loggers: {Root: {level: WARN}}}"
"""In the place of the image's own file, which it asks for."""


@pytest.fixture
def places(tmp_path: Path) -> Iterator[Places]:
    """Folders of this test that the servers' user can reach."""
    found = places_module.where(tmp_path, LocalSettings().cache)
    found.data.mkdir(parents=True)
    yield found
    shutil.rmtree(found.data)


async def test_postgres_takes_its_arguments(places: Places) -> None:
    """`initdb` makes a database of the one encoding and the order that a local run has."""
    home = places.own(places.data / "postgres")
    given = SERVICES["postgres"]["environment"]["POSTGRES_INITDB_ARGS"].split()
    server = postgres.describe(places, ports.free(), "unused").argv[0]
    said = await run(
        (
            str(Path(server).with_name("initdb")),
            *("-D", str(home / "data"), "-U", "postgres", "--no-sync", *given),
        ),
        env=bare(home),
        cwd=home,
        uid=places.uid,
    )
    assert "locale provider:   builtin" in said
    assert (home / "data" / "PG_VERSION").read_text().strip() == "18"


async def test_kafka_takes_its_variables(places: Places) -> None:
    """The image's own program makes the broker's settings of them, and formats its folder."""
    home = places.own(places.data / "kafka")
    folders = {
        f"--{name}-configs-dir": places.own(home / name) for name in ("default", "mounted", "final")
    }
    for name in ("server.properties", "log4j2.yaml", "tools-log4j2.yaml"):
        places.hand_over(home / "default" / name, "" if name == "server.properties" else LOGGING)
    given = {name: str(value) for name, value in SERVICES["kafka"]["environment"].items()}
    data = str(places.own(home / "data"))
    await run(
        (
            *(str(java.executable(places, LocalSettings())), *java.QUICK),
            *("-cp", f"{maven.folder('kafka', places)}/*"),
            *("kafka.docker.KafkaDockerWrapper", "setup"),
            *(str(part) for pair in folders.items() for part in pair),
        ),
        env={**bare(home), **given, "KAFKA_LOG_DIRS": data},
        cwd=home,
        uid=places.uid,
    )
    lines = (home / "final" / "server.properties").read_text().splitlines()
    made = dict(line.split("=", 1) for line in lines if line)
    assert made["advertised.listeners"] == "PLAINTEXT://kafka:9092"
    assert made["auto.create.topics.enable"] == "false"
    assert made["log.dirs"] == data
    assert given["CLUSTER_ID"] in (home / "data" / "meta.properties").read_text()
