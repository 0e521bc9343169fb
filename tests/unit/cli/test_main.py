"""The command as a whole: quick help, sentences instead of tracebacks, help for everything."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from cli.main import app
from cli.reference.commands import commands

HEAVY = {"sqlalchemy", "faust", "fastapi", "confluent_kafka", "opensearchpy", "httpx2", "pydantic"}


def test_help_imports_nothing_heavy() -> None:
    """`--help` answers without the libraries that only some commands need."""
    program = "import sys, cli.main; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert not HEAVY & set(done.stdout.split())


def test_help_lists_every_command() -> None:
    """The help names the roles and the tools, and not the command for developers."""
    shown = CliRunner().invoke(app, ["--help"]).output
    for name in (
        "gateway",
        "worker",
        "delay",
        "migrate",
        "topics",
        "documents",
        "search",
        "demo",
        "doctor",
    ):
        assert name in shown
    assert "docs" not in shown


@pytest.mark.parametrize(("name", "command"), list(commands()), ids=lambda one: str(one)[:40])
def test_everything_has_help(name: str, command: object) -> None:
    """Each command, argument and option says what it does, in a sentence."""
    assert command.help, name  # type: ignore[attr-defined]
    for parameter in command.params:  # type: ignore[attr-defined]
        assert parameter.help or parameter.name == "help", f"{name} {parameter.name}"
        assert not parameter.help or parameter.help.strip().endswith(".")


@pytest.mark.usefixtures("bare")
def test_an_expected_failure_is_one_sentence() -> None:
    """Without a key a command ends with 1 and one line on stderr that says what to do."""
    done = CliRunner().invoke(app, ["search", "plums"])
    assert done.exit_code == 1
    assert done.stdout == ""
    assert done.stderr.startswith("error: set ACTIONSTREAM_API_KEY")
    assert done.stderr.count("\n") == 1


def test_a_wrong_call_ends_with_two() -> None:
    """An option that does not exist is the caller's fault, not a failure of the work."""
    assert CliRunner().invoke(app, ["search", "plums", "--nonsense"]).exit_code == 2


def test_version_is_the_installed_one() -> None:
    """`version` prints a version and nothing else."""
    done = CliRunner().invoke(app, ["version"])
    assert done.output.strip().split(".")[0].isdigit()
