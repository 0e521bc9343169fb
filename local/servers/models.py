"""The local model server: Ollama's API, served by this project's own small models."""

import sys

from local import readiness
from local.environment import inherited
from local.places import Places
from local.ports import HOST, Ports
from local.program import Program

NAME = "models"


def describe(places: Places, ports: Ports) -> Program:
    """Returns: the model server on `ports.models`; its first start makes its weights."""
    cache = {"ACTIONSTREAM_CACHE": str(places.cache)}
    return Program(
        name=NAME,
        argv=(sys.executable, "-m", "local.models", "--port", str(ports.models)),
        env=inherited() | cache,
        port=ports.models,
        ready=lambda: readiness.http_ok(f"http://{HOST}:{ports.models}/api/version"),
    )
