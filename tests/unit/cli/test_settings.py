"""Where commands find their settings, and what they say of missing and wrong ones."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from cli import configuration
from cli.errors import Failure
from cli.settings import CommandLineSettings, gateway_settings, load
from schemas.settings import KafkaSettings
from streams.settings import Settings


def _local_run(folder: Path, text: str) -> None:
    (folder / ".actionstream").mkdir(parents=True)
    (folder / ".actionstream" / "env").write_text(text)


def test_a_local_run_is_found_without_sourcing(bare: Path) -> None:
    """The environment file that a local run writes is read from the current folder."""
    _local_run(bare, "export ACTIONSTREAM_API_KEY='from-the-run'\n")
    assert gateway_settings().api_key.get_secret_value() == "from-the-run"


def test_the_project_s_local_run_is_found_from_elsewhere(bare: Path) -> None:
    """Outside the project its own local run still counts."""
    _local_run(bare / "project", "export ACTIONSTREAM_API_KEY='of-the-project'\n")
    assert gateway_settings().api_key.get_secret_value() == "of-the-project"


def test_the_environment_is_stronger_than_files(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable that is set counts more than the local run, and that more than `.env`."""
    (bare / ".env").write_text("ACTIONSTREAM_API_KEY=a\nACTIONSTREAM_GATEWAY_URL=http://env\n")
    _local_run(bare, "export ACTIONSTREAM_API_KEY='b'\nexport ACTIONSTREAM_CALL_TIMEOUT_S='7'\n")
    monkeypatch.setenv("ACTIONSTREAM_CALL_TIMEOUT_S", "9")
    found = gateway_settings()
    assert (found.api_key.get_secret_value(), found.call_timeout_s) == ("b", 9)
    assert found.gateway_url == "http://env"


def test_another_user_s_file_is_left_alone(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that someone else has put in a shared folder cannot lead the key elsewhere."""
    _local_run(bare, "export ACTIONSTREAM_API_KEY='planted'\n")
    _local_run(bare / "project", "export ACTIONSTREAM_API_KEY='of-the-project'\n")
    owner = (bare / ".actionstream" / "env").stat().st_uid
    monkeypatch.setattr("cli.settings._trusted", lambda: frozenset({owner + 1}))
    assert gateway_settings().api_key.get_secret_value() == "of-the-project"


def test_a_file_that_cannot_be_read_is_said(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A local run of root's is not readable for others, which is a sentence."""
    _local_run(bare, "export ACTIONSTREAM_API_KEY='x'\n")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", ".actionstream/env")

    monkeypatch.setattr(CommandLineSettings, "__init__", refuse)
    with pytest.raises(Failure, match="cannot be read; run this as the user"):
        gateway_settings()


def test_two_installations_do_not_mix(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was given one installation's settings reads no other run's file."""
    _local_run(bare, "export ACTIONSTREAM_CALL_TIMEOUT_S='7'\n")
    monkeypatch.setenv("ACTIONSTREAM_ID_SECRET", "0123456789abcdef")
    monkeypatch.setenv("ACTIONSTREAM_API_KEY", "given")
    assert gateway_settings().call_timeout_s == 60


@pytest.mark.usefixtures("bare")
def test_missing_settings_are_named() -> None:
    """The sentence names every variable that is missing and where to read about it."""
    with pytest.raises(Failure, match="set ACTIONSTREAM_ID_SECRET, ACTIONSTREAM_DATABASE_URL"):
        load(Settings)


@pytest.mark.usefixtures("bare")
def test_a_wrong_value_is_named_but_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was given may be a secret in the wrong place, so it is not repeated."""
    monkeypatch.setenv("ACTIONSTREAM_PARTITIONS", "hunter2")
    with pytest.raises(Failure, match="ACTIONSTREAM_PARTITIONS") as caught:
        load(KafkaSettings)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (SecretStr("topsecret"), "********"),
        (
            SecretStr("postgresql+psycopg://role:topsecret@host:5432/db"),
            "postgresql+psycopg://role:********@host:5432/db",
        ),
        ("https://user:topsecret@search:9200", "https://user:********@search:9200"),
        ("http://127.0.0.1:9200", "http://127.0.0.1:9200"),
        (None, ""),
        (("a", "b"), '["a", "b"]'),
    ],
)
def test_no_secret_is_shown(value: object, shown: str) -> None:
    """Secrets are masked, in addresses only the password."""
    assert configuration.masked(value) == shown


def test_shown_settings_tell_what_was_set() -> None:
    """Each variable stands with its value and whether it was set."""
    settings = CommandLineSettings(_env_file=None, api_key=SecretStr("topsecret"))
    rows = {name: (value, is_set) for name, value, is_set in configuration.values(settings)}
    assert rows["ACTIONSTREAM_API_KEY"] == ("********", True)
    assert rows["ACTIONSTREAM_CALL_TIMEOUT_S"] == ("60.0", False)
