"""Preparing the servers: those that start late are waited for, those that refuse are not."""

import time

import pytest
from sqlalchemy.exc import OperationalError

from cli import migration
from cli.errors import Failure
from streams.errors import DependencyDown

Step = migration.Step


def _step(*errors: Exception) -> tuple[Step, list[int]]:
    left, tries = list(errors), [0]

    async def step() -> None:
        tries[0] += 1
        if left:
            raise left.pop(0)

    return step, tries


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migration, "_PAUSE_S", 0)


async def test_a_server_that_starts_late_is_waited_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The wait is said once, and the step done when the server answers."""
    away = DependencyDown("s3", "connection refused")
    step, tries = _step(away, away, OSError("connection refused"))
    await migration.patiently("the object store", step, time.monotonic() + 60)
    assert tries == [4]
    assert capsys.readouterr().out.count("waiting for the object store") == 1


async def test_waiting_ends() -> None:
    """Past the limit the sentence names the server, the reason and what to look at."""
    step, _ = _step(DependencyDown("s3", "connection refused"))
    with pytest.raises(Failure, match=r"did not answer in time .*connection refused"):
        await migration.patiently("the object store", step, time.monotonic() - 1)


async def test_a_wrong_password_is_said_at_once() -> None:
    """Waiting does not mend a refusal, and neither statement nor parameters are shown."""
    cause = Exception('FATAL: password authentication failed for user "x"\nmore')
    step, tries = _step(OperationalError("SELECT secret", {"p": "hunter2"}, cause))
    with pytest.raises(Failure, match="password authentication failed") as caught:
        await migration.patiently("Postgres", step, time.monotonic() + 60)
    assert tries == [1]
    assert "hunter2" not in str(caught.value)
