"""The product's own processes as the supervisor runs them: gateway, workers, delay consumer."""

import sys
from collections.abc import Mapping
from pathlib import Path

from local import readiness
from local.environment import inherited
from local.places import Places
from local.ports import HOST, Ports
from local.program import Program
from local.servers import kafka, models, opensearch, postgres, s3

#: The command beside the Python that runs this, so that no other installation is picked up.
COMMAND = str(Path(sys.executable).with_name("actionstream"))
GATEWAY = "gateway"
DELAY = "delay"
#: What must be there before they start, and until they have ended.
_SERVERS = (kafka.NAME, postgres.NAME, opensearch.NAME, s3.NAME, models.NAME)


def gateway(ports: Ports, variables: Mapping[str, str]) -> Program:
    """Returns: the HTTP API on `ports.gateway`; ready when its own `/ready` says so."""
    return Program(
        name=GATEWAY,
        argv=(COMMAND, "gateway"),
        env=inherited()
        | dict(variables)
        | {"ACTIONSTREAM_HOST": HOST, "ACTIONSTREAM_PORT": str(ports.gateway)},
        port=ports.gateway,
        ready=lambda: readiness.http_ok(f"http://{HOST}:{ports.gateway}/ready"),
        after=_SERVERS,
        restarts=True,
    )


def worker(number: int, places: Places, ports: Ports, variables: Mapping[str, str]) -> Program:
    """Returns: the worker `number` (from 1), which runs all stages; ready with its partitions."""
    name = f"worker-{number}"
    port = ports.as_dict()[f"worker_{number}"]
    return Program(
        name=name,
        argv=(COMMAND, "worker"),
        env=inherited() | dict(variables) | {"ACTIONSTREAM_METRICS_PORT": str(port)},
        port=port,
        ready=lambda: readiness.worker_works(places.log(name)),
        after=_SERVERS,
        restarts=True,
        # Work in flight may go on for its own grace of 10 s, and leaving the group takes a moment.
        grace_s=30,
    )


def delay(places: Places, ports: Ports, variables: Mapping[str, str]) -> Program:
    """Returns: what holds records between two attempts; ready with its partitions."""
    return Program(
        name=DELAY,
        argv=(COMMAND, "delay"),
        env=inherited() | dict(variables) | {"ACTIONSTREAM_METRICS_PORT": str(ports.delay)},
        port=ports.delay,
        ready=lambda: readiness.worker_works(places.log(DELAY)),
        after=(kafka.NAME,),
        restarts=True,
    )
