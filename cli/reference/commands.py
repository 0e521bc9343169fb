"""The page of the command line: every command with its arguments and options."""

from collections.abc import Iterator
from enum import Enum
from typing import Any

from cli.reference.markdown import NOTE, code, table

_HEAD = f"""\
# Command line

{NOTE}
Commands read their settings from the environment, from `.actionstream/env`, which a local run
writes, and from `.env` (see [settings](settings.md)). They end with 0, with 1 where something
failed, and with 2 where they were called wrongly. With `--json` they print JSON and nothing else
on standard output.

"""


def markdown() -> str:
    """Returns: the page."""
    return _HEAD + "\n".join(_sections())


def commands() -> Iterator[tuple[str, Any]]:
    """Yield each visible command that does something, by its whole name."""
    import typer

    from cli.main import app

    yield from _leaves("actionstream", typer.main.get_command(app))


def _leaves(name: str, command: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - Typer's own
    if command.hidden:
        return
    if not hasattr(command, "commands"):
        yield name, command
        return
    for inner, found in command.commands.items():
        yield from _leaves(f"{name} {inner}", found)


def _sections() -> Iterator[str]:
    for name, command in commands():
        rows = [_row(one) for one in command.params if not one.hidden and one.name != "help"]
        yield f"## `{name}`\n\n{command.help.strip()}\n"
        if rows:
            yield table(("Argument or option", "Default", "What it does"), rows)


def _row(parameter: Any) -> tuple[str, str, str]:  # noqa: ANN401 - Typer's own
    if not parameter.opts[0].startswith("-"):
        return code(parameter.metavar or parameter.name.upper()), "", parameter.help
    default = parameter.default
    names = "/".join([*parameter.opts, *parameter.secondary_opts])
    if isinstance(default, Enum):
        names = f"{names} {'|'.join(str(one.value) for one in type(default))}"
    if isinstance(default, bool):
        text = (parameter.opts if default else [*parameter.secondary_opts, ""])[0]
    else:
        text = "" if default in (None, []) else str(default)
    return code(names), code(text), parameter.help
