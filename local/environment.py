"""The surroundings of a local run: the settings that a person may set, and what children inherit.

Reads the process environment; it is the only module of `local` that does.
"""

import os
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class LocalSettings(BaseSettings):
    """What may be chosen for a local run, by environment variable."""

    model_config = SettingsConfigDict(env_prefix="ACTIONSTREAM_", populate_by_name=True)

    cache: Path | None = Field(
        default=None, description="Folder of downloads; default: the user's or the system's cache."
    )
    port_base: int = Field(
        default=19080, ge=1024, le=65000, description="First of the ports of the local servers."
    )
    gateway_port: int = Field(
        default=8080, ge=1, le=65535, description="Port of the HTTP API of `make run`."
    )
    models: Literal["local", "ollama"] = Field(
        default="local",
        validation_alias=AliasChoices("MODELS", "ACTIONSTREAM_MODELS"),
        description="Who answers model calls: the local model server or a running Ollama.",
    )
    ollama_host: str = Field(
        default="127.0.0.1:11434",
        validation_alias=AliasChoices("OLLAMA_HOST"),
        description="Where a running Ollama answers, as Ollama itself reads it.",
    )
    chat_model: str | None = Field(
        default=None, description="Chat model of that Ollama; default: the first that it has."
    )
    java_home: Path | None = Field(
        default=None,
        validation_alias=AliasChoices("ACTIONSTREAM_JAVA_HOME"),
        description="A JDK 21 or newer for the servers; default: the one that pip installed.",
    )

    @property
    def ollama_url(self) -> str:
        """Returns: the base URL of the Ollama that may be running, without a final slash."""
        host = self.ollama_host.rstrip("/")
        if "://" not in host:
            host = f"http://{host}"
        # Ollama listens on 0.0.0.0 when told so, but nobody can call that address everywhere.
        return host.replace("//0.0.0.0", "//127.0.0.1")


def inherited() -> dict[str, str]:
    """Returns: a copy of this process's environment, for a child that runs as the same user."""
    return dict(os.environ)  # noqa: TID251 - a child inherits all, a setting is read above


def bare(home: Path) -> dict[str, str]:
    """Returns: the least environment that a server needs; `home` is a folder that it may write."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
    }
