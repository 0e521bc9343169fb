"""What fuzzing has in common: values of any kind, and a caller that checks each answer."""

import json
from dataclasses import dataclass
from typing import Any

import httpx2
from hypothesis import settings
from hypothesis import strategies as st

from tests.e2e.conftest import ClientSettings, Tenant

DIARY = "diary"
"""The collection that a good call reads after each bad one."""

JSON = "application/json"
MEMBERS = {"type", "title", "status", "detail", "code"}

SOME = settings().max_examples * 3 // 5
FEW = settings().max_examples // 2
"""Examples of tests of which each takes longer: shares of what the profile wants of others."""

texts = st.text(max_size=40)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)


@dataclass(frozen=True)
class Caller:
    """Calls of a tenant, and a good call after each of them."""

    tenant: Tenant
    client: httpx2.Client

    @property
    def diary(self) -> str:
        """The path of its collection."""
        return f"{self.tenant.collections}/{DIARY}"

    def call(self, method: str, path: str, **request: Any) -> httpx2.Response:
        """Returns: the answer, which is none of a failure; the next good call has a good one."""
        answer = self.client.request(method, path, **request)
        assert answer.status_code < 500, answer.text
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json", answer.text
            problem = answer.json()
            assert set(problem) >= MEMBERS
            assert problem["status"] == answer.status_code
        assert self.client.get(self.diary).status_code == 200
        return answer

    def send(self, method: str, path: str, value: Any, kind: str = JSON) -> httpx2.Response:
        """Returns: the answer to a value as JSON, infinite numbers too, which are none."""
        return self.call(method, path, content=json.dumps(value), headers={"Content-Type": kind})


def calling(where: ClientSettings, tenant: Tenant) -> Caller:
    """Returns: a caller with the tenant's key, whose client is to be closed."""
    headers = {"Authorization": f"Bearer {tenant.key}"}
    return Caller(
        tenant,
        httpx2.Client(base_url=where.gateway_url, headers=headers, timeout=60, trust_env=False),
    )
