"""`Dockerfile` and `.dockerignore`: what the image is built from, and who it runs as."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).parents[2]
TEXT = (PROJECT / "Dockerfile").read_text(encoding="utf-8")
STEPS = [
    re.sub(r"\s*\\\n\s*", " ", step)
    for step in re.findall(r"^[A-Z]+ (?:.*\\\n)*.*$", TEXT, re.MULTILINE)
]
PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
LET_IN = {
    line.removeprefix("!")
    for line in (PROJECT / ".dockerignore").read_text().splitlines()
    if line.startswith("!")
}


def steps(kind: str) -> list[str]:
    """The arguments of all steps of a kind."""
    return [step.removeprefix(f"{kind} ") for step in STEPS if step.startswith(f"{kind} ")]


def one(pattern: str) -> str:
    """The one text that is found for the pattern's group."""
    found = set(re.findall(pattern, TEXT))
    assert len(found) == 1, found
    return str(found.pop())


def test_the_base_is_pinned() -> None:
    """What comes from outside has a version and a digest; the rest is a stage of this file."""
    stages = {"python", "build"}
    for base in steps("FROM"):
        assert base.split()[0] in stages or re.match(
            r"python:\d+\.\d+\.\d+-.*@sha256:\w{64} ", base
        )


def test_python_is_one_that_the_lock_file_is_for() -> None:
    """The base's Python is what the product requires, and what uv is told to use."""
    minor = one(r"FROM python:(\d+\.\d+)\.")
    oldest, newest = re.findall(r"\d+\.(\d+)", PYPROJECT["project"]["requires-python"])
    assert int(oldest) <= int(minor.split(".")[1]) < int(newest)
    assert one(r"UV_PYTHON=(\S+)") == f"/usr/local/bin/python{minor}"


def test_packages_are_those_of_the_lock_file() -> None:
    """The pinned uv takes all packages from the lock file, without those for development."""
    installing = [step for step in steps("RUN") if "pip install" in step]
    assert len(installing) == 1
    assert "--require-hashes" in installing[0]
    assert installing[0].endswith("-r local/uv-requirements.txt")
    syncing = [step for step in steps("RUN") if "uv sync" in step]
    assert len(syncing) == 2
    for step in syncing:
        assert "uv sync --frozen --no-dev --extra ocr" in step
    extras = PYPROJECT["project"]["optional-dependencies"]
    assert set(extras) == {"ocr"}


def test_the_clients_of_postgres_are_the_servers_release() -> None:
    """pg_dump refuses a server that is newer than itself."""
    services = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())["services"]
    server = re.fullmatch(r"postgres:(\d+)\..*", services["postgres"]["image"])
    assert server is not None
    assert one(r"postgresql-client-(\d+)") == server[1]
    assert one(r"ACTIONSTREAM_POSTGRES_BIN=(\S+)") == f"/usr/lib/postgresql/{server[1]}/bin"


def test_it_runs_as_nobody_in_particular() -> None:
    """By number, so that a cluster can tell; the backups' folder is that user's."""
    user = steps("USER")
    assert user == ["10001:10001"]
    assert STEPS.index("USER 10001:10001") > STEPS.index("FROM python")
    made = " ".join(steps("RUN"))
    assert "useradd --uid 10001 --user-group" in made
    assert "install --directory --owner=10001 --group=10001 --mode=0700 /backups" in made


def test_a_signal_reaches_the_process() -> None:
    """No shell stands between: entry point and command are lists."""
    assert steps("ENTRYPOINT") == ['["actionstream"]']
    assert steps("CMD") == ['["--help"]']


def test_good_manners() -> None:
    """No ADD, nothing piped into a shell, no lists of packages left, nothing that is suggested."""
    assert steps("ADD") == []
    for step in steps("RUN"):
        assert not re.search(r"\| *(ba)?sh\b", step)
        assert ("apt-get" in step) == ("rm -rf /var/lib/apt/lists/*" in step)
        assert step.count("apt-get install") == step.count("--yes --no-install-recommends")


@pytest.mark.parametrize(
    "name", PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
)
def test_every_package_gets_in(name: str) -> None:
    """All that the distribution is made of is let in, with what it is built by."""
    assert name in LET_IN
    assert {"pyproject.toml", "uv.lock", PYPROJECT["project"]["readme"], "LICENSE"} <= LET_IN


def test_nothing_else_gets_in() -> None:
    """Everything is left out that is not named: no secret, no data, no tests."""
    lines = (PROJECT / ".dockerignore").read_text().splitlines()
    assert [line for line in lines if line[0] not in "#!"] == ["*", "**/__pycache__"]
    assert all((PROJECT / name).exists() for name in LET_IN)
    assert not LET_IN & {".env", "settings.env", ".actionstream", ".git", "tests"}
