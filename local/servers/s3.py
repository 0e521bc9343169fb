"""An S3 server, S3Proxy 3.1.0 over plain files: objects survive a restart, multipart works."""

from local import java, maven, readiness
from local.environment import LocalSettings, bare
from local.places import Places
from local.ports import HOST, Ports
from local.program import Program, Report

NAME = "s3"
_PROGRAM = "s3proxy"
_CONFIG = """\
s3proxy.endpoint=http://{host}:{port}
s3proxy.authorization=aws-v2-or-v4
s3proxy.identity={key}
s3proxy.credential={secret}
# The checksum headers of current clients are unknown to it; without this it refuses them.
s3proxy.ignore-unknown-headers=true
jclouds.provider=filesystem-nio2
jclouds.identity=unused
jclouds.credential=unused
jclouds.filesystem.basedir={objects}
"""
# Without this file it logs every byte that it moves.
_LOGGING = """\
<configuration>
  <appender name="out" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%d %level %logger{1} %msg%n</pattern></encoder>
  </appender>
  <root level="WARN"><appender-ref ref="out"/></root>
</configuration>
"""


def describe(
    places: Places, ports: Ports, settings: LocalSettings, *, key: str, secret: str
) -> Program:
    """Describe the object store.

    Args:
        places: the places of the run.
        ports: it listens on `ports.s3`.
        settings: of the local run.
        key: the one access key.
        secret: its secret.

    Returns: the server, without any bucket at first.
    """
    home = places.data / NAME

    def fetch(report: Report) -> None:
        maven.fetch(_PROGRAM, places, report)

    async def prepare() -> None:
        places.own(home)
        objects = places.own(home / "objects")
        config = _CONFIG.format(host=HOST, port=ports.s3, key=key, secret=secret, objects=objects)
        places.hand_over(home / "s3proxy.properties", config)
        places.hand_over(home / "logback.xml", _LOGGING)

    return Program(
        name=NAME,
        argv=(
            str(java.executable(places, settings)),
            *("-Xms32m", "-Xmx192m", *java.QUICK),
            f"-Dlogback.configurationFile={home / 'logback.xml'}",
            *("-cp", f"{maven.folder(_PROGRAM, places)}/*", "org.gaul.s3proxy.Main"),
            *("--properties", str(home / "s3proxy.properties")),
        ),
        env=bare(home),
        cwd=home,
        uid=places.uid,
        port=ports.s3,
        fetch=fetch,
        prepare=prepare,
        # It serves when it refuses a caller without a key in the way of S3.
        ready=lambda: readiness.http_answers(f"http://{HOST}:{ports.s3}/", 403),
    )
