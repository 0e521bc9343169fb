"""What the scopes of a key cover where it takes two of them."""

from types import SimpleNamespace

import pytest
from fastapi import Request

from gateway.access import authorise
from gateway.errors import Forbidden
from gateway.principal import Principal

TEST = "/v1/webhooks/{webhook_id}/test"


def allowed(method: str, path: str, *scopes: str) -> bool:
    """Whether a key with these scopes may call a route."""
    keys = SimpleNamespace(count_refusal=lambda _: None)
    app = SimpleNamespace(state=SimpleNamespace(gateway=SimpleNamespace(keys=keys)))
    request = Request({"type": "http", "method": method, "path_params": {}, "app": app})
    try:
        authorise(request, Principal("demo", None, "key_1", frozenset(scopes), None), path)
    except Forbidden as error:
        return "scopes do not cover" not in error.detail
    return True


@pytest.mark.parametrize("scopes", [("read",), ("write",), ("read:diary", "write")])
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v1/webhooks"), ("PATCH", "/v1/webhooks/{webhook_id}"), ("POST", TEST)],
)
def test_changing_webhooks_takes_reading_and_writing(
    method: str, path: str, scopes: tuple[str, ...]
) -> None:
    """Deliveries carry what happens, which whoever may only write is not to learn."""
    assert not allowed(method, path, *scopes)
    assert allowed(method, path, "read", "write")


def test_looking_at_webhooks_takes_reading() -> None:
    """As everything else that is only looked at."""
    assert allowed("GET", "/v1/webhooks", "read")
    assert not allowed("GET", "/v1/webhooks", "write")
