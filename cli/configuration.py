"""The settings of a role as they hold, without their secrets."""

import re
from typing import Any

from pydantic import SecretStr
from pydantic_settings import BaseSettings
from rich.table import Table
from rich.text import Text

from cli.reference.settings import written
from cli.settings import CommandLineSettings, load
from cli.terminal import console, print_json
from gateway.settings import GatewaySettings
from streams.backup.settings import BackupSettings
from streams.settings import ConsumerSettings, Settings

_ROLES: dict[str, type[BaseSettings]] = {
    "gateway": GatewaySettings,
    "worker": Settings,
    "delay": ConsumerSettings,
    "backup": BackupSettings,
    "cli": CommandLineSettings,
}
_MASK = "********"
_PASSWORD = re.compile(r"(?<=://)([^/?#@:]*):([^/?#@]*)@")


def show(role: str, *, as_json: bool) -> None:
    """Print the settings of a role.

    Raises:
        Failure: one is missing or wrong.
    """
    rows = values(load(_ROLES[role]))
    if as_json:
        print_json({name: value for name, value, _ in rows})
        return
    table = Table("variable", "value", "", box=None, header_style="bold", pad_edge=False)
    for name, value, is_set in rows:
        table.add_row(name, Text(value, overflow="fold"), "set" if is_set else "default")
    console().print(table)


def values(settings: BaseSettings) -> list[tuple[str, str, bool]]:
    """Returns: each variable, its value with secrets masked, and whether it was set."""
    prefix = settings.model_config.get("env_prefix", "")
    return [
        (
            f"{prefix}{name}".upper(),
            masked(getattr(settings, name)),
            name in settings.model_fields_set,
        )
        for name in type(settings).model_fields
    ]


def masked(value: Any) -> str:  # noqa: ANN401 - any setting's value
    """Returns: a value as it may be shown: no secret, and no password within an address."""
    if not isinstance(value, SecretStr):
        return _PASSWORD.sub(rf"\1:{_MASK}@", written(value))
    text = value.get_secret_value()
    shown, count = _PASSWORD.subn(rf"\1:{_MASK}@", text)
    return shown if count else _MASK
