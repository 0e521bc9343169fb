"""Start-up: each wait is said once, and again when there is something new to say."""

import asyncio
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from streams.clients.calls import ModelMissing
from streams.clients.ollama import WrongModel
from streams.errors import DependencyDown
from streams.startup import StartUp, done_before


class Script:
    """Fails with one error after the other, and then is there; the clock moves with each look."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.now = 0.0

    async def __call__(self) -> None:
        self.now += 1
        if self.errors:
            raise self.errors.pop(0)

    def clock(self) -> float:
        return self.now


def start(script: Script) -> StartUp:
    return StartUp(look_seconds=0, clock=script.clock)


def away(detail: str = "refused") -> DependencyDown:
    return DependencyDown("postgres", detail)


async def test_what_is_there_is_not_spoken_of() -> None:
    """A worker whose servers are up says nothing of them."""
    with capture_logs() as logs:
        await start(Script()).wait_for_all({"postgres": Script(), "s3": Script()})
    assert logs == []


@pytest.mark.parametrize(
    ("errors", "said"),
    [
        ([away()] * 20, ["refused"]),
        ([away()] * 61, ["refused"] * 3),
        (
            [away(), away(), away("starting up"), away("starting up")],
            ["refused", "starting up"],
        ),
        ([ModelMissing("x")] * 61, [ModelMissing("x").detail] * 2),
        ([OSError("no route")], ["no route"]),
    ],
)
async def test_a_wait_is_said_when_it_is_news(errors: list[Exception], said: list[str]) -> None:
    """Once at first, again for another reason or after half a minute; a model after a minute."""
    script = Script(*errors)
    with capture_logs() as logs:
        await start(script).wait_for("it", script)

    assert [line["reason"] for line in logs if line["event"] == "waiting"] == said
    assert (logs[-1]["event"], logs[-1]["dependency"]) == ("is there", "it")


async def test_a_missing_model_is_an_error_line() -> None:
    """It needs somebody to do something, and the line says what."""
    script = Script(ModelMissing("gemma3"))
    with capture_logs() as logs:
        await start(script).wait_for("models", script)

    assert logs[0]["log_level"] == "error"
    assert "ollama pull gemma3" in logs[0]["reason"]


async def test_reasons_stand_until_all_is_there() -> None:
    """Whoever asks a starting worker learns what it waits for now."""
    seen: list[dict[str, str]] = []
    script = Script(away(), away("starting up"))
    startup = start(script)

    async def check() -> None:
        seen.append(dict(startup.waiting_for))
        await script()

    await startup.wait_for("postgres", check)

    assert seen == [{}, {"postgres": "refused"}, {"postgres": "starting up"}]
    assert startup.waiting_for == {}


async def test_a_wrong_model_is_not_waited_for() -> None:
    """It would stay wrong."""
    script = Script(WrongModel("minilm", 0.5))
    with pytest.raises(WrongModel):
        await start(script).wait_for_all({"embeddings": script})


@pytest.mark.parametrize(("set_first", "done"), [(True, False), (False, True)])
async def test_a_worker_told_to_stop_waits_no_longer(*, set_first: bool, done: bool) -> None:
    """Not even for a check that never returns."""
    stop, there, ended = asyncio.Event(), asyncio.Event(), []

    async def check() -> None:
        try:
            await there.wait()
        finally:
            ended.append("checked")

    act: Callable[[], None] = stop.set if set_first else there.set
    asyncio.get_running_loop().call_soon(act)

    assert await done_before(stop, StartUp().wait_for("postgres", check)) is done
    assert ended == ["checked"]
