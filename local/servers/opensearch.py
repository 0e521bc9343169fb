"""OpenSearch 3.6.0 with k-NN and neural-search, as one node without security on loopback."""

import os
import shutil
import zipfile
from pathlib import Path

from local import java, maven, readiness
from local.environment import LocalSettings, bare
from local.places import Places
from local.ports import HOST, Ports
from local.program import Program, Report

NAME = "opensearch"
VERSION = "3.6.0"
_PLUGINS = {"opensearch-knn": "opensearch-knn", "neural-search": "opensearch-neural-search"}
#: Half of the download, and nothing here asks where an address is.
_LEFT_OUT = "modules/ingest-geoip/"

_CONFIG = """\
cluster.name: actionstream-local
node.name: local
path.data: {data}
path.logs: {logs}
network.host: {host}
http.port: {http}
transport.port: {transport}
discovery.type: single-node
# A developer's disk is often nearly full; the node would make the indexes read-only.
cluster.routing.allocation.disk.threshold_enabled: false
"""
_LOGGING = """\
status=error
appender.c.type=Console
appender.c.name=C
appender.c.layout.type=PatternLayout
appender.c.layout.pattern=%d %p %c{1.} %m%n
rootLogger.level=warn
rootLogger.appenderRef.c.ref=C
"""
#: What the distribution's own start script computes with three more Java processes.
_SYSTEM = (
    "-Dopensearch.networkaddress.cache.ttl=60",
    "-Dopensearch.networkaddress.cache.negative.ttl=10",
    "-Xss1m",
    "-Djava.awt.headless=true",
    "-Dfile.encoding=UTF-8",
    "-Djna.nosys=true",
    "-XX:-OmitStackTraceInFastThrow",
    "-Dio.netty.noUnsafe=true",
    "-Dio.netty.noKeySetOptimization=true",
    "-Dio.netty.recycler.maxCapacityPerThread=0",
    "-Dio.netty.allocator.numDirectArenas=0",
    "-Dlog4j.shutdownHookEnabled=false",
    "-Dlog4j2.disable.jmx=true",
    # The languages that this runtime lacks come from ICU, see maven/opensearch.xml.
    "-Djava.locale.providers=CLDR,SPI",
    "-Dorg.apache.lucene.store.MMapDirectory.sharedArenaMaxPermits=1",
    "-javaagent:agent/opensearch-agent.jar",
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "-XX:+UseCompactObjectHeaders",
    "-XX:+ExitOnOutOfMemoryError",
)


def describe(
    places: Places, ports: Ports, settings: LocalSettings, *, heap_mib: int = 384
) -> Program:
    """Describe the search server.

    Args:
        places: the places of the run.
        ports: HTTP on `ports.opensearch`.
        settings: of the local run.
        heap_mib: the most that its heap may take, in MiB; 256 is enough for 1,400 documents.

    Returns: the server; ready means that all its shards can be searched.
    """
    home = places.data / NAME
    program = _home(places)

    def fetch(report: Report) -> None:
        _fetch(places, report)

    async def prepare() -> None:
        places.own(home)
        places.own(home / "tmp")
        config = places.own(home / "config")
        text = _CONFIG.format(
            host=HOST,
            http=ports.opensearch,
            transport=ports.opensearch_transport,
            data=places.own(home / "data"),
            logs=places.own(home / "logs"),
        )
        places.hand_over(config / "opensearch.yml", text)
        places.hand_over(config / "log4j2.properties", _LOGGING)

    return Program(
        name=NAME,
        argv=(
            str(java.executable(places, settings)),
            *(f"-Xms{min(heap_mib, 64)}m", f"-Xmx{heap_mib}m", *java.QUICK, *_SYSTEM),
            f"-XX:MaxDirectMemorySize={heap_mib // 2}m",
            f"-Djava.io.tmpdir={home / 'tmp'}",
            f"-Dopensearch.path.home={program}",
            f"-Dopensearch.path.conf={home / 'config'}",
            "-Dopensearch.distribution.type=zip",
            "-Dopensearch.bundled_jdk=false",
            *("-cp", f"{program}/lib/*", "org.opensearch.bootstrap.OpenSearch"),
        ),
        env=bare(home),
        cwd=program,
        uid=places.uid,
        port=ports.opensearch,
        fetch=fetch,
        prepare=prepare,
        # Red for a moment after a restart: the port answers before the shards are open.
        ready=lambda: readiness.http_ok(
            f"http://{HOST}:{ports.opensearch}/_cluster/health?wait_for_status=yellow&timeout=1s",
            holds='"timed_out":false',
        ),
        grace_s=30,
    )


def _home(places: Places) -> Path:
    zips = maven.folder(NAME, places)
    return zips.with_name(f"{zips.name}-home")


def _fetch(places: Places, report: Report) -> None:
    home = _home(places)
    if home.is_dir():
        return
    maven.fetch(NAME, places, report)
    report(f"{NAME}: unpacking")
    zips = maven.folder(NAME, places)
    making = home.with_name(f".{home.name}.{os.getpid()}")
    _unpack(zips / f"opensearch-{VERSION}.zip", making)
    top = making / f"opensearch-{VERSION}"
    for artefact, plugin in _PLUGINS.items():
        _unpack(zips / f"{artefact}-{VERSION}.0.zip", top / "plugins" / plugin)
    for jar in zips.glob("icu4j*.jar"):
        # Beside the node's own classes, where Java looks for more languages.
        shutil.copyfile(jar, top / "lib" / jar.name)
    top.rename(home)
    making.rmdir()
    # The archives are 170 MB that nobody reads again.
    shutil.rmtree(zips)


def _unpack(archive: Path, target: Path) -> None:
    """Unpack for everybody to read: the node may run as another user than who unpacked it."""
    with zipfile.ZipFile(archive) as content:
        for member in content.infolist():
            if _LEFT_OUT not in member.filename:
                content.extract(member, target)
    for path in target.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    target.chmod(0o755)
