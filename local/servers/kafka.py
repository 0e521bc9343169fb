"""Kafka 4.3.1 as one KRaft node: broker and controller in one process, without authentication."""

import asyncio
from pathlib import Path

from local import java, maven, readiness
from local.environment import LocalSettings, bare
from local.oneshot import run
from local.places import Places
from local.ports import HOST, Ports
from local.program import Program, Report

NAME = "kafka"
#: Any base64 UUID of 22 characters: the id of a cluster that is never merged with another.
_CLUSTER = "MkU3OEVBNTcwNTJENDM2Qg"

_CONFIG = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller}
listeners=PLAINTEXT://{host}:{broker},CONTROLLER://{host}:{controller}
advertised.listeners=PLAINTEXT://{host}:{advertised}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
num.network.threads=2
num.io.threads=2
auto.create.topics.enable=false
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=2
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=8388608
log.index.size.max.bytes=1048576
log.segment.bytes=16777216
"""
_LOGGING = """\
status=error
appender.c.type=Console
appender.c.name=C
appender.c.layout.type=PatternLayout
appender.c.layout.pattern=%d %p %c{1} %m%n
rootLogger.level=warn
rootLogger.appenderRef.c.ref=C
"""


def describe(
    places: Places, ports: Ports, settings: LocalSettings, *, advertised: int | None = None
) -> Program:
    """Describe the broker.

    Args:
        places: the places of the run.
        ports: it listens for clients on `ports.kafka`.
        settings: of the local run.
        advertised: the port that it tells clients to come to, where something stands in between.

    Returns: the server.
    """
    home = places.data / NAME

    def fetch(report: Report) -> None:
        maven.fetch(NAME, places, report)

    async def prepare() -> None:
        await _prepare(places, ports, settings, home, advertised or ports.kafka)

    return Program(
        name=NAME,
        argv=(*_java(places, settings, home), "kafka.Kafka", str(home / "server.properties")),
        env=bare(home),
        cwd=home,
        uid=places.uid,
        port=ports.kafka,
        fetch=fetch,
        prepare=prepare,
        ready=lambda: readiness.kafka_has_a_leader(f"{HOST}:{ports.kafka}"),
        grace_s=20,
    )


def _java(places: Places, settings: LocalSettings, home: Path) -> tuple[str, ...]:
    jars = maven.folder(NAME, places)
    return (
        str(java.executable(places, settings)),
        *("-Xms96m", "-Xmx512m", *java.QUICK),
        f"-Dlog4j2.configurationFile={home / 'log4j2.properties'}",
        *("-cp", f"{jars}/*"),
    )


async def _prepare(
    places: Places, ports: Ports, settings: LocalSettings, home: Path, advertised: int
) -> None:
    places.own(home)
    data = places.own(home / "data")
    config = _CONFIG.format(
        host=HOST,
        broker=ports.kafka,
        advertised=advertised,
        controller=ports.kafka_controller,
        data=data,
    )
    file = places.hand_over(home / "server.properties", config)
    places.hand_over(home / "log4j2.properties", _LOGGING)
    formatted = data / "meta.properties"
    if await asyncio.to_thread(formatted.exists):
        return
    tool = ("kafka.tools.StorageTool", "format", "-t", _CLUSTER, "-c", str(file))
    await run((*_java(places, settings, home), *tool), env=bare(home), cwd=home, uid=places.uid)
