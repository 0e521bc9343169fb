"""Following events on the command line: what is asked for, and how a lost connection is found."""

import json
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from cli import happenings
from cli.client import Refusal
from cli.errors import Failure
from cli.following import Follower
from cli.settings import CommandLineSettings
from tests.fakes.gateway import FakeGateway, problem

EVENT: dict[str, Any] = {
    "type": "document.parsed",
    "time": "2026-11-21T08:00:00.123456Z",
    "sequence": 7,
    "subject": "doc_1",
    "data": {"page_count": 2, "name": "x" * 100},
}


def frame(number: int, kind: str = "document.parsed", **data: Any) -> str:
    """An event as the gateway sends it."""
    told = json.dumps(data or {"sequence": number})
    place = f"id: c{number}\n" if number else ""
    return f"{place}event: {kind}\ndata: {told}\n\n"


def stream(*frames: str) -> httpx2.Response:
    """An answer that ends after these."""
    head = "retry: 1500\nid: c0\n\n: ping\n\n"
    return httpx2.Response(
        200, headers={"Content-Type": "text/event-stream"}, text=head + "".join(frames)
    )


class Answers:
    """A gateway that gives these answers, one a call, and then says 401."""

    def __init__(self, *answers: httpx2.Response | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[httpx2.Request] = []
        self.slept: list[float] = []
        self.told: list[str] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        answer = self.answers.pop(0) if self.answers else problem(401, "unauthorised", "no")
        if isinstance(answer, Exception):
            raise answer
        return answer

    def follow(self, **query: str) -> list[int]:
        """Returns: the numbers of the events up to the refusal."""
        follower = Follower(
            CommandLineSettings(_env_file=None, gateway_url="http://g", api_key=SecretStr("k" * 9)),
            query,
            transport=httpx2.MockTransport(self),
            sleep=self.slept.append,
            tell=self.told.append,
        )
        found: list[int] = []
        with pytest.raises(Refusal):
            found.extend(event["sequence"] for event in follower.events())
        return found


def test_a_lost_connection_goes_on_at_the_last_event() -> None:
    """The gateway's own pause is kept to; nothing comes twice."""
    draining = frame(0, "closed", reason="draining", detail="x", reconnect=True)
    lost = httpx2.ReadError("reset")
    fake = Answers(stream(frame(1), frame(2)), lost, stream(frame(3), draining), stream(frame(4)))
    assert fake.follow(type="document.*") == [1, 2, 3, 4]
    places = [one.headers.get("last-event-id") for one in fake.asked]
    assert places == [None, "c2", "c2", "c3", "c4"]
    assert fake.slept == [1.5, 3.0, 1.5, 1.5]
    assert {one.url.params["type"] for one in fake.asked} == {"document.*"}
    assert len(fake.told) == 4


def test_a_closed_key_ends_it() -> None:
    """What is of no use is not tried again."""
    closed = frame(0, "closed", reason="unauthorised", detail="revoked", reconnect=False)
    fake = Answers(stream(frame(1), closed), stream(frame(2)))
    assert fake.follow() == [1]


def test_a_busy_gateway_is_waited_for() -> None:
    """503 and 429 are no end, and say how long to wait."""
    busy = httpx2.Response(503, json={"detail": "later", "retry_after_s": 4, "status": 503})
    fake = Answers(busy, stream(frame(1)))
    assert fake.follow() == [1]
    assert fake.slept[0] == 4.0


def test_a_gateway_that_never_was_there_is_said() -> None:
    """Whoever mistypes an address is not left waiting."""
    fake = Answers(httpx2.ConnectError("refused"))
    with pytest.raises(Failure, match="does not answer"):
        fake.follow()


def test_pages_are_read_to_their_end() -> None:
    """Without --follow all that is there is shown."""
    fake = FakeGateway(
        first=[
            httpx2.Response(200, json={"items": [EVENT], "next_since": "c7", "has_more": True}),
            httpx2.Response(200, json={"items": [EVENT], "next_since": "c8", "has_more": False}),
        ]
    )
    query = happenings.wanted(["document.*", "batch.completed"], None, "batch_1", None)
    with fake.opened() as gateway:
        assert len(list(happenings.pages(gateway, query))) == 2
    first, second = (dict(call.url.params) for call in fake.calls)
    assert first == {"type": "document.*,batch.completed", "batch": "batch_1", "limit": "200"}
    assert second == {**first, "since": "c7"}


def test_an_event_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """For people short, for machines whole."""
    happenings.show([EVENT], as_json=False)
    line = capsys.readouterr().out
    assert line.startswith("2026-11-21 08:00:00        7  document.parsed")
    assert "page_count=2" in line
    assert "x" * 70 not in line
    happenings.show([EVENT], as_json=True)
    assert json.loads(capsys.readouterr().out) == EVENT
