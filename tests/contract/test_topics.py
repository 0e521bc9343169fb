"""The catalogue of topics: names, versions, retention, dead letters, and the flow of stages."""

import ast
import inspect
import re
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from schemas import topics
from schemas.settings import KafkaSettings
from schemas.topics import (
    CATALOGUE,
    DELAYS,
    FACTS,
    INPUTS,
    KEY_CHANGED,
    OBJECT_CHANGED,
    READERS,
    REQUESTS,
    RESULTS,
    SETS,
    Delay,
    Kind,
    Topic,
    again,
    delay_after,
)
from streams import app, stages
from streams.app import ALL, Clients, pipeline
from streams.settings import Settings
from streams.stage import Stage
from streams.topics_admin import Wanted, wanted

KEBAB = re.compile(r"^[a-z]+(-[a-z]+)*$")
FINAL = {KEY_CHANGED.name, OBJECT_CHANGED.name, RESULTS.name}
"""Topics that only gateways and other programs read."""


@pytest.fixture(scope="module")
def found() -> tuple[Stage[Any], ...]:
    """All stages; none of them touches its clients before it works."""
    nothing = cast("Any", None)
    clients = Clients(**dict.fromkeys(Clients.__dataclass_fields__, nothing))
    settings = Settings(
        _env_file=None, id_secret="x" * 16, database_url="postgresql+psycopg://nobody@nowhere/x"
    )
    return pipeline(clients, settings)


@pytest.fixture(scope="module")
def cluster() -> dict[str, Wanted]:
    """Every topic as it is to be on a cluster, by name."""
    return {one.name: one for one in wanted(KafkaSettings(_env_file=None))}


@pytest.mark.parametrize("topic", CATALOGUE, ids=lambda topic: topic.name)
def test_names_and_versions(topic: Topic[Any]) -> None:
    """Names are kebab-case without dots, which collide with underscores; versions begin with 1."""
    assert KEBAB.match(topic.name)
    assert len(topic.dead_letter) <= 249
    assert topic.version >= 1
    assert topic.schema_name.endswith(f".v{topic.version}")


def test_names_are_unique() -> None:
    """No two topics share a name, and no two messages a schema name."""
    assert len({topic.name for topic in CATALOGUE}) == len(CATALOGUE)
    assert len({topic.schema_name for topic in CATALOGUE}) == len(CATALOGUE)


def test_requests_are_imperative_and_facts_past_tense() -> None:
    """A request says what to do, a fact what has happened."""
    assert all(topic.name.endswith("ed") for topic in FACTS)
    assert not any(topic.name.split("-")[0].endswith("ed") for topic in REQUESTS)
    assert {topic.kind for topic in REQUESTS} == {Kind.REQUEST}


def test_retention_is_explicit(cluster: dict[str, Wanted]) -> None:
    """Nothing is left to the broker's defaults, and inputs outlive any outage."""
    for one in cluster.values():
        assert int(one.config["retention.ms"]) > 0
        assert one.config["cleanup.policy"] == "delete"
        assert one.config["unclean.leader.election.enable"] == "false"
    assert all(topic.retention >= timedelta(days=30) for topic in INPUTS)


@pytest.mark.parametrize("topic", INPUTS, ids=lambda topic: topic.name)
def test_dead_letter_twins(topic: Topic[Any], cluster: dict[str, Wanted]) -> None:
    """Each input has a twin that keeps its records longer, and takes them with more headers."""
    twin, own = cluster[topic.dead_letter], cluster[topic.name]
    assert int(twin.config["retention.ms"]) >= int(own.config["retention.ms"])
    assert int(twin.config["max.message.bytes"]) > int(own.config["max.message.bytes"])


@pytest.mark.parametrize("delay", DELAYS, ids=lambda delay: delay.name)
def test_records_wait_as_safely_as_inputs(delay: Delay, cluster: dict[str, Wanted]) -> None:
    """A retry topic keeps records as long as inputs are kept, and takes the largest of them."""
    own, twin = cluster[delay.name], cluster[delay.dead_letter]
    for topic in INPUTS:
        bytes_of = cluster[topic.name].config["max.message.bytes"]
        assert int(own.config["max.message.bytes"]) > int(bytes_of)
        assert int(own.config["retention.ms"]) >= topic.retention.total_seconds() * 1000
    assert int(twin.config["max.message.bytes"]) > int(own.config["max.message.bytes"])
    assert int(twin.config["retention.ms"]) > int(own.config["retention.ms"])


@pytest.mark.parametrize("stage", READERS)
def test_what_waited_fits_where_it_returns(stage: str, cluster: dict[str, Wanted]) -> None:
    """Each stage has a topic of its own that takes whatever a retry topic holds, as long."""
    own = cluster[again(stage)]
    for delay in DELAYS:
        for name in ("max.message.bytes", "retention.ms"):
            assert int(own.config[name]) >= int(cluster[delay.name].config[name])


def test_delays_grow() -> None:
    """A record waits longer with each failure, and in the end always for the longest time."""
    waits = [delay_after(failures).seconds for failures in range(1, 7)]
    assert waits[: len(DELAYS)] == sorted({delay.seconds for delay in DELAYS})
    assert waits[len(DELAYS) :] == [DELAYS[-1].seconds] * 3
    assert all(KEBAB.match(re.sub(r"[0-9]+(?=[sm]$)", "", delay.name)) for delay in DELAYS)


def test_the_prefix_keeps_installations_apart() -> None:
    """Each topic's name begins with the installation's prefix, and no two are the same."""
    names = [one.name for one in wanted(KafkaSettings(_env_file=None, topic_prefix="mine-"))]
    assert all(name.startswith("mine-") for name in names)
    assert len(set(names)) == len(names)


def test_a_cluster_keeps_what_it_acknowledged() -> None:
    """With three replicas two must have a record before it counts."""
    settings = KafkaSettings(_env_file=None, replication_factor=3)
    assert {one.config["min.insync.replicas"] for one in wanted(settings)} == {"2"}


def test_every_stage_reads_what_the_catalogue_says(found: tuple[Stage[Any], ...]) -> None:
    """Who returns a record to a stage knows the stage by its name and its source."""
    assert {stage.name: stage.source.name for stage in found} == {
        name: topic.name for name, topic in READERS.items()
    }


def test_every_input_has_one_stage(found: tuple[Stage[Any], ...]) -> None:
    """Each topic that is to be worked off is the source of one stage, and of one only."""
    sources = [stage.source.name for stage in found]
    assert sorted(sources) == sorted(topic.name for topic in INPUTS)


def test_every_sink_is_a_source_or_final(found: tuple[Stage[Any], ...]) -> None:
    """No stage publishes where nobody reads."""
    sources = {stage.source.name for stage in found}
    assert _sinks() >= {topic.name for topic in FACTS} | FINAL
    assert _sinks() - sources == FINAL


def test_every_stage_is_in_one_set(found: tuple[Stage[Any], ...]) -> None:
    """The deployable sets divide the stages: none is left out, none worked by two groups."""
    divided = [name for names in SETS.values() for name in names]
    assert sorted(divided) == sorted(stage.name for stage in found)
    assert ALL not in SETS


def _sinks() -> set[str]:
    """The topics that the modules of stages, and of replies, name as the first of an `Output`."""
    folder = Path(inspect.getfile(stages)).parent
    files = [*folder.glob("*.py"), Path(inspect.getfile(app)).with_name("replies.py")]
    named = {
        call.args[0].attr
        for file in files
        for call in ast.walk(ast.parse(file.read_text()))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "Output"
        and isinstance(call.args[0], ast.Attribute)
    }
    return {getattr(topics, name).name for name in named}
