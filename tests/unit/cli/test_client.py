"""Calling the gateway: the key, repeats, patience, and one sentence for each failure."""

from pathlib import Path

import httpx2
import pytest

from cli.client import Gateway, Refusal
from cli.errors import Failure
from tests.fakes.gateway import KEY, FakeGateway, problem


def test_every_call_carries_the_key(fake: FakeGateway) -> None:
    """The bearer key goes with each call."""
    fake.opened().call("POST", "/v1/search", body={"q": "plums"})
    assert fake.calls[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("base", ["", "https://public.test", "https://public.test/v1/things"])
def test_the_key_goes_to_the_gateway_alone(fake: FakeGateway, base: str) -> None:
    """Whatever address the links of an answer name, its path is asked for where the key belongs."""
    path = "/v1/admin/requests/req_1"
    fake.first = [httpx2.Response(200, json={"status": "completed"})]
    fake.opened().followed({"status": "processing", "status_url": base + path})
    assert str(fake.calls[0].url) == f"http://gateway.test{path}?wait_s=30"


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_gateway_is_waited_for(fake: FakeGateway, status: int) -> None:
    """429 and 503 are waited out as long as Retry-After says, then the call is repeated."""
    busy = problem(status, "unavailable", "later")
    busy.headers["Retry-After"] = "7"
    fake.first = [busy]
    fake.opened().call("POST", "/v1/search", body={"q": "plums"})
    assert fake.slept == [7.0]
    assert len(fake.calls) == 2


def test_a_rate_limit_is_waited_out_as_long_as_it_says(fake: FakeGateway) -> None:
    """However long that is, which is said once; a gateway that is busy is not a matter of words."""
    for status, seconds in ((503, "3"), (429, "45"), (429, "6")):
        fake.first.append(problem(status, "rate_limited", "too many"))
        fake.first[-1].headers["Retry-After"] = seconds
    fake.opened().call("GET", "/v1/documents")
    assert fake.slept == [3.0, 45.0, 6.0]
    assert fake.told == ["The gateway limits calls; waiting 45 s, later without a word"]


def test_a_rate_limit_beyond_all_patience_is_a_refusal(fake: FakeGateway) -> None:
    """Where the next call is allowed in an hour, nobody sits there until then."""
    fake.first = [problem(429, "rate_limited", "try again in 3600 s")]
    fake.first[0].headers["Retry-After"] = "3600"
    with pytest.raises(Refusal, match="in 3600 s"):
        fake.opened().call("GET", "/v1/documents")
    assert fake.slept == []


def test_a_repeat_cannot_double_anything(fake: FakeGateway, tmp_path: Path) -> None:
    """The repeat of an upload has the first one's idempotency key and the whole file."""
    path = tmp_path / "a.txt"
    path.write_bytes(b"some text")
    fake.first = [problem(503, "maybe_accepted", "unknown")]
    fake.opened().upload(path, {})
    first, second = fake.calls
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert b"some text" in second.content


def test_patience_ends(fake: FakeGateway) -> None:
    """A gateway that stays busy is at last a refusal with its own words."""
    fake.first = [problem(503, "unavailable", "Kafka is away")]
    with pytest.raises(Refusal, match="Kafka is away") as caught:
        fake.opened(patience_s=0).call("POST", "/v1/search", body={"q": "plums"})
    assert (caught.value.status, caught.value.code) == (503, "unavailable")


def test_a_foolish_retry_after_is_bounded(fake: FakeGateway) -> None:
    """A pause is never longer than half a minute and never nothing."""
    for value in ("86400", "-3", "soon"):
        busy = problem(503, "unavailable", "later")
        busy.headers["Retry-After"] = value
        fake.first.append(busy)
    fake.opened().call("GET", "/v1/documents")
    assert fake.slept == [30.0, 1.0, 1.0]


def test_upload_says_everything_before_the_file(fake: FakeGateway, tmp_path: Path) -> None:
    """Form fields come before the file, which the gateway streams away as it comes."""
    path = tmp_path / "a.txt"
    path.write_bytes(b"some text")
    seen: list[int] = []
    fake.opened().upload(path, {"title": "A"}, progress=seen.append)
    content = fake.calls[0].content
    assert content.index(b'name="title"') < content.index(b'name="file"; filename="a.txt"')
    assert seen[-1] == 9


def test_a_file_that_cannot_be_read_is_its_own_failure(fake: FakeGateway, tmp_path: Path) -> None:
    """One unreadable file is a refusal, so that others of a batch go on."""
    with pytest.raises(Refusal, match="cannot be read"):
        fake.opened().upload(tmp_path / "gone.txt", {})


def _broken(error: Exception) -> Gateway:
    def fail(_: httpx2.Request) -> httpx2.Response:
        raise error

    gateway = FakeGateway().opened()
    gateway._client = httpx2.Client(
        base_url="http://gateway.test", transport=httpx2.MockTransport(fail)
    )
    return gateway


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            httpx2.ConnectError("refused"),
            "The gateway does not answer at http://gateway.test; start it with `make run`",
        ),
        (httpx2.ReadTimeout("slow"), "did not answer in time"),
        (httpx2.RemoteProtocolError("garbage"), "failed: garbage"),
    ],
)
def test_transport_failures_are_sentences(error: Exception, sentence: str) -> None:
    """A gateway that is away, slow or no gateway is said in a sentence with a remedy."""
    with pytest.raises(Failure, match=sentence):
        _broken(error).call("GET", "/v1/documents")


def test_an_answer_that_is_not_json_is_said(fake: FakeGateway) -> None:
    """Some other server on that port is not mistaken for the gateway."""
    fake.first = [httpx2.Response(200, text="<html>")]
    with pytest.raises(Failure, match="is it the gateway"):
        fake.opened().call("GET", "/v1/documents")


def test_who_has_gone_is_not_waited_for(fake: FakeGateway) -> None:
    """After Ctrl-C a busy gateway is no longer waited for."""
    fake.first = [problem(503, "unavailable", "later")]
    gateway = fake.opened()
    gateway.stop()
    with pytest.raises(Refusal, match="later"):
        gateway.call("GET", "/v1/documents")
    assert fake.slept == []
