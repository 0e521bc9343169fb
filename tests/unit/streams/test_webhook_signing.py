"""Signatures, bodies and pauses of deliveries."""

import base64
import time
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from schemas import webhook_secrets
from schemas.webhook_secrets import Seal, Unreadable
from schemas.webhooks import DELIVERABLE, matches
from streams.webhooks import signing
from streams.webhooks.patience import JITTER, LONGEST_RETRY_AFTER_S, Patience
from streams.webhooks.run import payload

EVENT = {
    "id": "evt_1",
    "type": "batch.completed",
    "gptid": "demo",
    "sequence": 7,
    "time": datetime(2026, 11, 21, 9, 30, tzinfo=UTC),
    "data": {"name": "Grüße"},
}
DEFAULT = Patience((5, 30, 300, 1800, 7200, 18000, 36000, 50400), 3, timedelta(hours=24))


def test_the_library_takes_signatures_of_each_secret() -> None:
    """Of every secret while several sign, and of no other one."""
    secrets = [webhook_secrets.mint() for _ in range(3)]
    body = payload(EVENT)
    headers = signing.headers("msg_1", int(time.time()), body, secrets[:2])
    for secret in secrets[:2]:
        assert Webhook(webhook_secrets.text(secret)).verify(body, headers)["id"] == "evt_1"
    with pytest.raises(WebhookVerificationError):
        Webhook(webhook_secrets.text(secrets[2])).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(webhook_secrets.text(secrets[0])).verify(body + b" ", headers)


def test_the_documented_signature() -> None:
    """The example of the specification gives what the specification says."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = signing.headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', [secret]
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_body_is_the_event_and_the_same_each_time() -> None:
    """CloudEvents' `time` is Standard Webhooks' `timestamp` too."""
    body = payload(EVENT)
    assert body == payload({**EVENT, "time": EVENT["time"]})
    assert b'"timestamp":"2026-11-21T09:30:00Z"' in body
    assert '"name":"Grüße"'.encode() in body


def test_pauses_grow_over_hours_with_jitter() -> None:
    """Nine attempts over a day and a third; no two endpoints come back at the same moment."""
    assert DEFAULT.attempts == 9
    for failures, pause in enumerate(DEFAULT.pauses, start=1):
        drawn = [DEFAULT.after(failures) for _ in range(50)]
        assert (1 - JITTER) * pause <= min(drawn) < max(drawn) <= (1 + JITTER) * pause
    assert DEFAULT.after(100) >= (1 - JITTER) * DEFAULT.pauses[-1]
    assert sum(DEFAULT.pauses) == pytest.approx(31.6 * 3600, rel=0.01)


def test_what_an_endpoint_asks_for_is_honoured_within_bounds() -> None:
    """Longer than our own pause, but no endpoint holds its events for days."""
    assert DEFAULT.held(1, 120) == 120
    assert DEFAULT.held(1, 10**9) == LONGEST_RETRY_AFTER_S
    assert DEFAULT.held(8, 1) >= (1 - JITTER) * DEFAULT.pauses[-1]


def test_secrets_are_sealed_to_their_endpoint() -> None:
    """Another endpoint's, or another key's, cannot be opened; an earlier key's can."""
    secret = webhook_secrets.mint()
    old, new = Seal("k" * 32), Seal("n" * 32, "k" * 32)
    sealed = old.seal("wh_1", secret)
    assert secret not in sealed
    assert sealed != old.seal("wh_1", secret)
    assert new.open("wh_1", [sealed, new.seal("wh_1", secret)]) == (secret, secret)
    for seal, webhook_id, text in (
        (old, "wh_2", sealed),
        (Seal("x" * 32), "wh_1", sealed),
        (old, "wh_1", sealed[:-1]),
        (old, "wh_1", b""),
    ):
        with pytest.raises(Unreadable):
            seal.open(webhook_id, [text])


@pytest.mark.parametrize(
    ("patterns", "kind", "expected"),
    [
        (("*",), "object.created", True),
        (("document.*",), "document.indexed", True),
        (("document.*",), "documentary.indexed", False),
        (("batch.completed",), "batch.completed", True),
        (("batch.completed",), "batch.created", False),
        (("*", "webhook.*", "webhook.paused"), "webhook.paused", False),
        (("webhook.test",), "webhook.test", False),
    ],
)
def test_what_an_endpoint_gets(patterns: tuple[str, ...], kind: str, *, expected: bool) -> None:
    """Events of webhooks go to no endpoint, or deliveries would bring about deliveries."""
    assert matches(patterns, kind) is expected


def test_all_but_events_of_webhooks_can_be_chosen() -> None:
    """As the documentation lists them."""
    assert {"document.indexed", "document.failed", "batch.completed"} < set(DELIVERABLE)
    assert not any(kind.startswith("webhook.") for kind in DELIVERABLE)
