"""The page of settings and `.env.example`: every environment variable of every role."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from cli.reference.markdown import NOTE, code, table

_HEAD = f"""\
# Settings

{NOTE}
Every command reads environment variables; what they do not say is read from `.actionstream/env`,
which a local run writes, and then from `.env`, in the folder that it is started in. Secrets have no
defaults. Durations are ISO 8601 (`PT1M30S`) or `HH:MM:SS`; lists are JSON (`["a", "b"]`).
`actionstream config show` prints what holds, secrets masked; `.env.example` is a start.

"""


@dataclass(frozen=True, slots=True)
class Section:
    """Settings that belong together; `about` says who reads them."""

    title: str
    about: str
    model: type[BaseSettings]
    inherited: tuple[type[BaseSettings], ...] = ()

    def variables(self) -> Iterator["Variable"]:
        """Yield the variables of this section that no section above it has."""
        prefix = self.model.model_config.get("env_prefix", "")
        above = {name for model in self.inherited for name in model.model_fields}
        for name, field in self.model.model_fields.items():
            if name not in above:
                yield Variable(_variable(prefix, name, field), field)


@dataclass(frozen=True, slots=True)
class Variable:
    """One environment variable."""

    name: str
    field: FieldInfo

    @property
    def required(self) -> bool:
        """Returns: whether there is no default."""
        return self.field.is_required()

    @property
    def secret(self) -> bool:
        """Returns: whether its value is masked wherever it is shown."""
        kind = self.field.annotation
        return SecretStr in (kind, *get_args(kind))

    @property
    def default(self) -> str:
        """Returns: the default as it would be set; empty if there is none."""
        return written(self.field.default)


def written(value: Any) -> str:  # noqa: ANN401 - any setting's value
    """Returns: a value as an environment variable holds it."""
    if value is None or value is PydanticUndefined:
        return ""
    if isinstance(value, timedelta):
        return f"PT{value.total_seconds():.15g}S"
    if isinstance(value, list | tuple):
        return json.dumps(value)
    return str(value)


def sections() -> Sequence[Section]:
    """Returns: all settings, each variable in one section."""
    from cli.settings import AdministrationSettings, CommandLineSettings, TenantSettings
    from gateway.settings import GatewaySettings
    from local.environment import LocalSettings
    from schemas import settings as shared
    from streams.backup.settings import BackupSettings
    from streams.limits import LimitSettings
    from streams.parsing.settings import ParserSettings
    from streams.settings import ConsumerSettings, MetricsSettings, Settings

    both = (
        shared.SharedSettings,
        shared.KeySettings,
        shared.WebhookSettings,
        shared.KafkaSettings,
        shared.StorageSettings,
        shared.SearchSettings,
        shared.ModelSettings,
    )
    return (
        Section("All roles", "What they log.", shared.LogSettings),
        Section("Ids", "Gateway and workers.", shared.SharedSettings, (shared.LogSettings,)),
        Section("Keys", "Gateway, `migrate` and `keys bootstrap`.", shared.KeySettings),
        Section("Webhooks", "Gateway and workers.", shared.WebhookSettings),
        Section("Kafka", "All roles and `topics`.", shared.KafkaSettings),
        Section("Object store", "Gateway and workers.", shared.StorageSettings),
        Section("Search", "Gateway and workers.", shared.SearchSettings),
        Section("Models", "Gateway and workers.", shared.ModelSettings),
        Section("Gateway", "`actionstream gateway`.", GatewaySettings, both),
        Section(
            "Metrics", "Workers, delay consumer and the schedule of backups.", MetricsSettings, both
        ),
        Section(
            "Consumers",
            "`actionstream worker` and `actionstream delay`.",
            ConsumerSettings,
            (*both, MetricsSettings),
        ),
        Section(
            "Workers",
            "`actionstream worker` and `actionstream migrate`.",
            Settings,
            (*both, ConsumerSettings, LimitSettings, ParserSettings),
        ),
        Section("Limits", "Workers.", LimitSettings),
        Section("Parsing", "Workers.", ParserSettings),
        Section("Backups", "`actionstream backup`.", BackupSettings, (*both, Settings)),
        Section("Command line", "Commands that call the gateway.", CommandLineSettings),
        Section(
            "Whole tenants",
            "`actionstream export` and `actionstream import`.",
            TenantSettings,
            (CommandLineSettings,),
        ),
        Section(
            "Administration",
            "`actionstream gpts` and `actionstream keys`.",
            AdministrationSettings,
            (CommandLineSettings,),
        ),
        Section("Local run", "`make run` and `make test`; not read from files.", LocalSettings),
    )


def markdown() -> str:
    """Returns: the page."""
    parts = [_HEAD]
    for section in sections():
        rows = (
            (
                code(one.name),
                _kind(one.field.annotation),
                "**required**" if one.required else code(one.default),
                one.field.description or "",
            )
            for one in section.variables()
        )
        head = ("Variable", "Type", "Default", "What it says")
        parts.append(f"## {section.title}\n\n{section.about}\n\n{table(head, rows)}\n")
    return "".join(parts).rstrip() + "\n"


def example() -> str:
    """Returns: `.env.example`: required variables empty, all others commented out."""
    lines = [
        "# Settings of gateway, workers and command line; docs/reference/settings.md says more.",
        "# Copy it to .env and fill in what has no #. Generated by `make docs`.",
    ]
    said: set[str] = set()
    for section in sections()[:-1]:
        lines += ["", f"# --- {section.title}: {section.about.rstrip('.')}"]
        for one in section.variables():
            if one.name in said:
                continue
            said.add(one.name)
            secret = " (secret)" if one.secret else ""
            lines.append(f"# {one.field.description}{secret}")
            lines.append(f"{'' if one.required else '#'}{one.name}={one.default}")
    return "\n".join(lines) + "\n"


def _variable(prefix: str, name: str, field: FieldInfo) -> str:
    alias = field.validation_alias
    if alias is None:
        return (prefix + name).upper()
    choices = getattr(alias, "choices", [alias])
    return str(choices[0])


def _kind(annotation: Any) -> str:  # noqa: ANN401 - any annotation
    if get_origin(annotation) in (Union, UnionType):
        inner = [_kind(part) for part in get_args(annotation) if part is not type(None)]
        return " or ".join(inner)
    if get_origin(annotation) is Annotated:
        return _kind(get_args(annotation)[0])
    if get_origin(annotation) is tuple:
        return "list"
    names = {str: "text", int: "whole number", float: "number", SecretStr: "secret"}
    names |= {timedelta: "duration", bool: "true or false"}
    if annotation in names:
        return names[annotation]
    if choices := get_args(annotation):
        return " or ".join(code(str(choice)) for choice in choices)
    return getattr(annotation, "__name__", str(annotation)).lower()
