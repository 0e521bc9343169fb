"""Settings: each is described and documented, no secret has a default, the example file works."""

from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from cli.reference.settings import Section, Variable, sections
from cli.settings import CommandLineSettings
from gateway.settings import GatewaySettings
from schemas.settings import EnvironmentSettings
from streams.backup.settings import BackupSettings
from streams.settings import ConsumerSettings, Settings

PROJECT = Path(__file__).parents[2]
PACKAGES = ("schemas", "streams", "gateway", "cli", "local")
REQUIRED = {
    "ACTIONSTREAM_ID_SECRET": "0123456789abcdef",
    "ACTIONSTREAM_KEY_PEPPER": "0123456789abcdef0123456789abcdef",
    "ACTIONSTREAM_DATABASE_URL": "postgresql+psycopg://streams:x@127.0.0.1/actionstream",
    "ACTIONSTREAM_GATEWAY_DATABASE_URL": "postgresql+psycopg://gateway:x@127.0.0.1/actionstream",
}
FILLED = {**REQUIRED, "ACTIONSTREAM_API_KEY": "0123456789abcdef"}
"""The command line needs its key too, which there is only after `migrate`."""
VARIABLES = [
    pytest.param(section, variable, id=f"{section.title}-{variable.name}")
    for section in sections()
    for variable in section.variables()
]


def _models(model: type[BaseSettings]) -> set[type[BaseSettings]]:
    inner = {one for child in model.__subclasses__() for one in _models(child)}
    return inner | {model}


def test_every_settings_model_is_documented() -> None:
    """A model that a process builds cannot be forgotten on the page."""
    ours = {one for one in _models(BaseSettings) if one.__module__.split(".")[0] in PACKAGES}
    shown = {section.model for section in sections()}
    assert {one for one in ours - shown if not one.__name__.startswith("_")} == {
        EnvironmentSettings
    }


@pytest.mark.parametrize(("section", "variable"), VARIABLES)
def test_every_setting_is_described(section: Section, variable: Variable) -> None:
    """Each says in a sentence what it does, on the page and in the example file."""
    description = variable.field.description
    assert description
    assert description.endswith((".", "…).")), description
    page = (PROJECT / "docs" / "reference" / "settings.md").read_text()
    assert f"| `{variable.name}` |" in page
    if section.title != "Local run":
        example = (PROJECT / ".env.example").read_text().splitlines()
        assert any(line.lstrip("#").startswith(f"{variable.name}=") for line in example)


@pytest.mark.parametrize(("section", "variable"), VARIABLES)
def test_no_secret_has_a_default(section: Section, variable: Variable) -> None:
    """A secret is set by whoever runs the product, or absent; it is never in the code."""
    named = variable.name.lower().endswith(
        ("_secret", "_key", "_pepper", "_password", "database_url")
    )
    assert variable.secret is named, section.title
    if variable.secret:
        assert variable.default == ""


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The example file with everything in it put into force, and what is required filled in."""
    for section in sections():
        for variable in section.variables():
            monkeypatch.delenv(variable.name, raising=False)
    lines = []
    for line in (PROJECT / ".env.example").read_text().splitlines():
        name, mark, value = line.removeprefix("#").partition("=")
        if mark and not name.startswith(" ") and (value or name in FILLED):
            lines.append(f"{name}={value or FILLED[name]}")
    path = tmp_path / ".env"
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize(
    "model",
    [GatewaySettings, Settings, ConsumerSettings, BackupSettings, CommandLineSettings],
)
def test_the_example_file_says_the_defaults(model: type[BaseSettings], example: Path) -> None:
    """Each line can be read back, and states the value that holds without it."""
    found = model(_env_file=example)
    for name, field in model.model_fields.items():
        if not field.is_required() and f"ACTIONSTREAM_{name}".upper() not in FILLED:
            assert getattr(found, name) == field.default, name


def test_the_example_file_asks_for_what_is_required() -> None:
    """Only variables without a default stand there without a #."""
    lines = (PROJECT / ".env.example").read_text().splitlines()
    asked = {line.partition("=")[0] for line in lines if line and not line.startswith("#")}
    assert asked == set(REQUIRED)
