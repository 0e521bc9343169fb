"""Settings of the command line, and how every command finds its settings.

Reads the environment, then `.actionstream/env` (which a local run writes), then `.env`.
"""

import os
from pathlib import Path
from typing import Final, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings

from cli.errors import Failure
from schemas.settings import EnvironmentSettings

S = TypeVar("S", bound=BaseSettings)

PROJECT: Final = Path(__file__).resolve().parent.parent
LOCAL_ENVIRONMENT: Final = Path(".actionstream/env")


class _GatewayAddress(EnvironmentSettings):
    """How to reach the gateway."""

    gateway_url: str = Field(
        default="http://127.0.0.1:8080", description="URL of the gateway, without a final slash."
    )
    call_timeout_s: float = Field(
        default=60, gt=0, description="Longest silence of the gateway within one call, seconds."
    )


class CommandLineSettings(_GatewayAddress):
    """What the commands that talk to the gateway need to know."""

    api_key: SecretStr = Field(description="Bearer key to call the gateway with.")

    @property
    def bearer(self) -> SecretStr:
        """Returns: the key to call with."""
        return self.api_key


class TenantSettings(CommandLineSettings):
    """What the commands that work on a whole tenant need to know."""

    gpt_id: str = Field(default="demo", description="The tenant that the API key opens.")


class AdministrationSettings(_GatewayAddress):
    """What the commands that administer GPTs and their keys need to know."""

    admin_key: SecretStr = Field(
        description="Bearer key to administer with; `actionstream keys bootstrap` makes the first."
    )

    @property
    def bearer(self) -> SecretStr:
        """Returns: the key to call with."""
        return self.admin_key


class _Given(EnvironmentSettings):
    """Whether this process was started with the settings of some installation."""

    id_secret: SecretStr | None = Field(default=None, description="As every role has it.")


def environment_files() -> tuple[Path, ...]:
    """Returns: the files that settings are read from, the weakest first; none needs to exist.

    The environment of a local run is looked for in the current folder, then in the project's. It is
    left alone where the process has an installation's settings already: two must never mix.
    """
    if _Given(_env_file=None).id_secret is not None:
        return (Path(".env"),)
    here = LOCAL_ENVIRONMENT
    local = here if _is_ours(here) else PROJECT / LOCAL_ENVIRONMENT
    return Path(".env"), local


def _is_ours(path: Path) -> bool:
    """Returns: whether the file is there and of a user who may tell this one where to call.

    In a folder that everyone can write to, another's file could lead the key elsewhere.
    """
    try:
        return path.stat().st_uid in _trusted()
    except OSError:
        return False


def _trusted() -> frozenset[int]:
    return frozenset({os.geteuid(), 0})


def load(model: type[S]) -> S:
    """Returns: the settings of a role.

    Raises:
        Failure: one is missing or wrong; the sentence names it and never its value.
    """
    try:
        return model(_env_file=environment_files())
    except ValidationError as error:
        raise Failure(_sentence(model, error)) from None
    except PermissionError as error:
        raise Failure(
            f"{error.filename} cannot be read; run this as the user who started the local run"
        ) from None


def _sentence(model: type[BaseSettings], error: ValidationError) -> str:
    prefix = model.model_config.get("env_prefix", "")
    lacking = []
    wrong = []
    for one in error.errors(include_input=False, include_url=False):
        name = prefix + ".".join(map(str, one["loc"])).upper()
        if one["type"] == "missing":
            lacking.append(name)
        else:
            reason = one["msg"].removeprefix("Value error, ")
            wrong.append(f"{name}: {reason}" if one["loc"] else reason)
    parts = [*wrong]
    if lacking:
        parts.append(
            f"set {', '.join(lacking)}, in the environment or in .env; `make run` writes "
            f"{LOCAL_ENVIRONMENT}, see also docs/reference/settings.md"
        )
    return "; ".join(parts)


def gateway_settings() -> CommandLineSettings:
    """Returns: how to reach the gateway. Raises: Failure: the key is missing."""
    return load(CommandLineSettings)
