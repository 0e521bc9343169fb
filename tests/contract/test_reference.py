"""The generated documents: as the code makes them, and nothing is left out."""

import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from cli.commands.roles import Stages
from cli.commands.search import Mode
from cli.reference import DOCUMENTS
from cli.reference.commands import commands
from cli.reference.metrics import backup_metrics, delay_metrics, gateway_metrics, worker_metrics
from gateway.metrics import Metrics
from schemas.api import search
from schemas.topics import CATALOGUE, SETS
from streams.app import ALL

PROJECT = Path(__file__).parents[2]
FOLDER = PROJECT / "docs" / "reference"
LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)#\s]+)")


@pytest.mark.parametrize("path", DOCUMENTS, ids=str)
def test_committed_documents_are_the_codes(path: Path) -> None:
    """Code and documents do not differ; `make docs` writes them anew."""
    assert (PROJECT / path).read_text(encoding="utf-8") == DOCUMENTS[path](), "run `make docs`"


def test_every_topic_is_documented() -> None:
    """Each topic has its row and its message's fields."""
    page = (FOLDER / "topics.md").read_text()
    for topic in CATALOGUE:
        assert f"| `{topic.name}` |" in page
        assert f"## {topic.schema_name} on {topic.name}" in page


def test_every_metric_is_documented() -> None:
    """Each metric that a role registers stands on the page, with its meaning."""
    page = (FOLDER / "metrics.md").read_text()
    registries: list[CollectorRegistry] = [Metrics().registry]
    families = [family for registry in registries for family in registry.collect()]
    elsewhere = [*worker_metrics(), *delay_metrics(), *backup_metrics()]
    families += [family for one in elsewhere for family in one.collect()]
    assert len(families) == len(gateway_metrics()) + len(elsewhere)
    for family in families:
        assert re.search(rf"\| `{family.name}(_total)?` \| {family.type} \|", page), family.name
        assert family.documentation.endswith(".")


def test_every_command_is_documented() -> None:
    """Each visible command has a section, with every option."""
    page = (FOLDER / "cli.md").read_text()
    for name, command in commands():
        assert f"## `{name}`" in page
        section = page.partition(f"## `{name}`\n")[2].partition("\n## ")[0]
        for parameter in command.params:
            if parameter.opts[0].startswith("--") and parameter.name != "help":
                assert parameter.opts[0] in section


@pytest.mark.parametrize("page", sorted(FOLDER.glob("*.md")), ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """What a page links to within the project is there."""
    for target in LINK.findall(page.read_text()):
        assert (page.parent / target).exists(), target


def test_the_producer_is_short() -> None:
    """The example for other programs stays one that is read in a minute."""
    source = (PROJECT / "examples" / "producer.py").read_text()
    assert len(source.splitlines()) < 60
    for own in ("schemas", "streams", "gateway", "local", "cli"):
        assert not re.search(rf"^(from|import) {own}\b", source, re.MULTILINE)


def test_choices_are_those_of_the_code() -> None:
    """The command line offers what workers and gateway know, without importing them."""
    assert {one.value for one in Stages} == {ALL, *SETS}
    assert {one.value for one in Mode} == {one.value for one in search.Mode}
