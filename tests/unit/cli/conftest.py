"""A gateway in memory, an environment without settings, and consoles to read."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from cli.reference.settings import sections
from tests.fakes.gateway import FakeGateway


@pytest.fixture
def fake() -> FakeGateway:
    """A gateway without documents."""
    return FakeGateway()


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty folder to work in, and none of the product's variables set."""
    for section in sections():
        for variable in section.variables():
            monkeypatch.delenv(variable.name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("cli.settings.PROJECT", tmp_path / "project")
    return tmp_path


@pytest.fixture
def page() -> Console:
    """A console without a terminal, whose text `printed` gives."""
    return Console(file=io.StringIO(), width=160, highlight=False)


@pytest.fixture
def screen() -> Console:
    """A console that takes itself for a terminal of 100 x 24 characters."""
    return Console(
        file=io.StringIO(), force_terminal=True, width=100, height=24, color_system="standard"
    )


def printed(console: Console) -> str:
    """What a console has printed."""
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()
