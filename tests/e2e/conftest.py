"""The whole product: gateway, workers and servers run; the tests are its client."""

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import Field, SecretStr

from schemas.settings import KafkaSettings, SharedSettings

SAMPLES = Path(__file__).parents[2] / "examples" / "documents"
PATIENCE_SECONDS = 120
UNLIMITED = {"name": "calls", "rate_limits": "none"}
"""A key for tests that call as fast as they can."""


class ClientSettings(SharedSettings, KafkaSettings):
    """Where the product under test answers."""

    gateway_url: str = Field(default="http://127.0.0.1:8080")
    api_key: SecretStr
    admin_key: SecretStr

    def client(self, key: str) -> httpx2.Client:
        """Returns: a client with this key, to be closed."""
        return httpx2.Client(
            base_url=self.gateway_url,
            headers={"Authorization": f"Bearer {key}"},
            timeout=60,
            trust_env=False,
        )


@pytest.fixture(scope="session")
def settings() -> ClientSettings:
    """The addresses, by environment."""
    return ClientSettings()


@pytest.fixture(scope="session")
def api(settings: ClientSettings) -> Iterator[httpx2.Client]:
    """A client with the tenant's key."""
    with settings.client(settings.api_key.get_secret_value()) as client:
        yield client


@pytest.fixture(scope="session")
def admin(settings: ClientSettings) -> Iterator[httpx2.Client]:
    """A client that administers."""
    with settings.client(settings.admin_key.get_secret_value()) as client:
        yield client


@dataclass(frozen=True)
class Tenant:
    """A tenant that one test has for itself."""

    gpt_id: str
    key: str

    @property
    def collections(self) -> str:
        """The path of its collections."""
        return f"/v1/gpts/{self.gpt_id}/collections"


Administer = Callable[[str, dict[str, Any]], dict[str, Any]]
NewTenant = Callable[[], Tenant]
NewKey = Callable[[Tenant, str], str]


@pytest.fixture(scope="session")
def administer(admin: httpx2.Client) -> Administer:
    """Makes a GPT or a key by a path and a body."""

    def ask(path: str, body: dict[str, Any]) -> dict[str, Any]:
        # The key that administers is limited as any other one is.
        while (response := admin.post(path, json=body)).status_code == 429:
            time.sleep(float(response.headers["Retry-After"]))
        return made(response)

    return ask


@pytest.fixture(scope="session")
def new_tenant(administer: Administer) -> NewTenant:
    """Makes a tenant, and a key without limits."""

    def make() -> Tenant:
        gpt_id = f"e2e-{uuid.uuid4().hex[:12]}"
        administer("/v1/admin/gpts", {"gpt_id": gpt_id})
        key = administer(f"/v1/admin/gpts/{gpt_id}/keys", UNLIMITED)
        return Tenant(gpt_id, key["key"])

    return make


@pytest.fixture(scope="session")
def new_key(administer: Administer) -> NewKey:
    """Makes a key of an end user of a tenant, without limits."""

    def make(tenant: Tenant, subject: str) -> str:
        path = f"/v1/admin/gpts/{tenant.gpt_id}/keys"
        return str(administer(path, {**UNLIMITED, "subject": subject})["key"])

    return make


def made(response: httpx2.Response) -> dict[str, Any]:
    """Returns: what a call has made."""
    assert response.is_success, response.text
    answer: dict[str, Any] = response.json()
    return answer


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
