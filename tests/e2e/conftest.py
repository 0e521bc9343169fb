"""The whole product: gateway, workers and servers run; the tests are its client."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import Field, SecretStr

from schemas.settings import KafkaSettings, SharedSettings

SAMPLES = Path(__file__).parents[2] / "examples" / "documents"
PATIENCE_SECONDS = 120


class ClientSettings(SharedSettings, KafkaSettings):
    """Where the product under test answers."""

    gateway_url: str = Field(default="http://127.0.0.1:8080")
    api_key: SecretStr
    admin_key: SecretStr


@pytest.fixture(scope="session")
def settings() -> ClientSettings:
    """The addresses, by environment."""
    return ClientSettings()


@pytest.fixture(scope="session")
def api(settings: ClientSettings) -> Iterator[httpx2.Client]:
    """A client with the tenant's key."""
    key = settings.api_key.get_secret_value()
    with httpx2.Client(
        base_url=settings.gateway_url,
        headers={"Authorization": f"Bearer {key}"},
        timeout=60,
        trust_env=False,
    ) as client:
        yield client


Until = Callable[[Callable[[], Any]], Any]


@pytest.fixture(scope="session")
def until() -> Until:
    """Repeats a question until its answer is not None, or patience ends."""

    def ask(question: Callable[[], Any]) -> Any:
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            answer = question()
            if answer is not None:
                return answer
            time.sleep(0.2)
        pytest.fail(f"no answer within {PATIENCE_SECONDS} s")

    return ask


Upload = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def upload(api: httpx2.Client, until: Until) -> Upload:
    """Sends a file and returns its document once its run has ended."""

    def send(name: str, content: bytes, **form: str) -> dict[str, Any]:
        response = api.post("/v1/documents", files={"file": (name, content)}, data=form)
        assert response.status_code == 202, response.text
        document_id = response.json()["document_id"]

        def ended() -> dict[str, Any] | None:
            document: dict[str, Any] = api.get(f"/v1/documents/{document_id}").json()
            return document if document["status"] in {"completed", "failed"} else None

        document: dict[str, Any] = until(ended)
        return document

    return send
