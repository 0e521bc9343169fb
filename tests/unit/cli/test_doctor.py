"""The doctor: every fault becomes a finding with a remedy, and none hides another."""

import asyncio
from pathlib import Path

import httpx2
import pytest
from pydantic import SecretStr
from rich.console import Console

from cli import doctor
from cli.doctor import gateway, machine
from cli.doctor.check import Check, Finding, Wrong
from cli.errors import Failure
from cli.settings import CommandLineSettings
from streams.errors import DependencyDown

WORKER = {"stages": "all", "state": "working", "waiting_for": {}, "stopped_stages": {}}
CLOSED = {"model": "m", "used_by": "workers", "state": "closed", "reason": None}
WELL = {
    "status": "ok",
    "version": "1",
    "uptime_s": 5,
    "dependencies": [{"name": "kafka", "ok": True}],
    "workers": [WORKER],
    "models": [CLOSED],
    "backlog": {"waiting_documents": 3, "expected_wait_s": 41.6},
}


async def _examined(error: Exception) -> Finding:
    async def look() -> str:
        raise error

    return await Check("kafka", look, "start Kafka").examine()


@pytest.mark.parametrize(
    ("error", "detail", "remedy"),
    [
        (Wrong("two topics differ", "apply"), "two topics differ", "apply"),
        (Wrong("two topics differ"), "two topics differ", "start Kafka"),
        (DependencyDown("kafka", "no broker answers"), "no broker answers", "start Kafka"),
        (ValueError("first line\nsecond line"), "first line", "start Kafka"),
        (ValueError(), "ValueError", "start Kafka"),
        (Failure("It is away; start it."), "It is away; start it.", ""),
    ],
)
async def test_faults_become_findings(error: Exception, detail: str, remedy: str) -> None:
    """Whatever a check raises, it is said in a line, with what to do."""
    assert await _examined(error) == Finding("kafka", ok=False, detail=detail, remedy=remedy)


async def test_what_is_well_is_said_too() -> None:
    """A check that finds nothing says what it saw."""

    async def look() -> str:
        return "29 topics"

    assert await Check("kafka", look, "").examine() == Finding("kafka", ok=True, detail="29 topics")


def _gateway_checks(health: httpx2.Response, ping: httpx2.Response) -> list[Finding]:
    transport = httpx2.MockTransport(
        lambda request: health if request.url.path == "/health" else ping
    )
    settings = CommandLineSettings(_env_file=None, api_key=SecretStr("k" * 16))

    async def run() -> list[Finding]:
        return [await check.examine() for check in gateway.checks(settings, transport)]

    return asyncio.run(run())


def test_a_gateway_and_a_whole_system_that_are_well() -> None:
    """Health and a request through everything, with the time that it took."""
    health, workers, backlog, ping = _gateway_checks(
        httpx2.Response(200, json=WELL), httpx2.Response(200, json={"status": "completed"})
    )
    assert health.ok
    assert workers.detail == "1 at work, the breakers of 1 models are closed"
    assert backlog.detail == "3 documents wait; one accepted now takes about 42 s"
    assert "went through every part" in ping.detail


def test_what_the_gateway_misses_is_named() -> None:
    """A 503 of /health is read, not waited out, and names the servers that are away."""
    away = {**WELL, "status": "unavailable", "dependencies": [{"name": "kafka", "ok": False}]}
    health, *_ = _gateway_checks(
        httpx2.Response(503, json=away), httpx2.Response(200, json={"status": "completed"})
    )
    assert "kafka does not answer it" in health.detail


def test_a_request_that_does_not_come_back_means_no_worker() -> None:
    """A ping that is only accepted says to start a worker."""
    *_, ping = _gateway_checks(
        httpx2.Response(200, json=WELL), httpx2.Response(202, json={"status": "accepted"})
    )
    assert not ping.ok
    assert "start a worker" in ping.remedy


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"workers": []}, "no worker has given a sign of life within 15 s"),
        (
            {"workers": [WORKER, {**WORKER, "stopped_stages": {"extract": "10 bugs in a row"}}]},
            "the stage extract of a worker (all) has stopped: 10 bugs in a row",
        ),
        (
            {"workers": [{**WORKER, "waiting_for": {"models": "run `ollama pull m`"}}]},
            "a worker (all) waits for models: run `ollama pull m`",
        ),
        (
            {"models": [{**CLOSED, "state": "open", "reason": "it did not answer"}]},
            "the breaker of m (workers) is open: it did not answer",
        ),
    ],
)
def test_workers_and_models_that_are_unwell_are_named(
    change: dict[str, object], detail: str
) -> None:
    """No worker, a stopped stage, a missing model and an open breaker are one sentence each."""
    health = httpx2.Response(200, json={**WELL, **change})
    _, workers, *_ = _gateway_checks(health, httpx2.Response(200, json={"status": "completed"}))
    assert (workers.ok, workers.detail) == (False, detail)
    assert workers.remedy


def test_a_full_disk_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too little room is wrong, and the folder is named."""
    assert str(tmp_path) in machine._room((tmp_path,))
    monkeypatch.setattr(machine, "LEAST_FREE_BYTES", 2**63)
    with pytest.raises(Wrong, match="has only"):
        machine._room((tmp_path,))


@pytest.mark.usefixtures("bare")
def test_missing_settings_are_findings() -> None:
    """Without settings there is nothing to check, which is what is said."""
    findings, checks = doctor.planned()
    assert [one.ok for one in findings] == [False, False]
    assert "ACTIONSTREAM_DATABASE_URL" in findings[0].remedy
    assert checks == []


def test_remedies_stand_below_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, page: Console, capsys: pytest.CaptureFixture[str]
) -> None:
    """The table names each check; the remedy follows what is wrong."""
    monkeypatch.setattr(doctor, "console", lambda: page)
    doctor.show(
        [
            Finding("disk", ok=True, detail="room"),
            Finding("kafka", ok=False, detail="no", remedy="do"),
        ]
    )
    text = page.file.getvalue()  # type: ignore[attr-defined]
    assert text.index("WRONG") < text.index("→ do")
    assert "1 of 2 checks" in text
    assert capsys.readouterr().out == ""
