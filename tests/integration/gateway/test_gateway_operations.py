"""Health, readiness, metrics, reference, and what every answer has in common."""

import html
import re

import httpx2
import pytest

from gateway.catalogue import KINDS


async def test_health_names_every_dependency(api: httpx2.AsyncClient) -> None:
    """Each dependency has a latency; the servers of the tests are all there but the models."""
    body = (await api.get("/health")).json()
    found = {one["name"]: one for one in body["dependencies"]}
    assert set(found) == {"kafka", "postgres", "opensearch", "s3", "models"}
    assert all(one["latency_ms"] > 0 for one in found.values())
    assert all(found[name]["ok"] for name in ("kafka", "postgres", "opensearch", "s3"))


async def test_operations_need_no_key_and_nothing_else_does(url: str) -> None:
    """Health, readiness, liveness and metrics are open; all of /v1 is 401."""
    async with httpx2.AsyncClient(base_url=url) as client:
        assert (await client.get("/live")).status_code == 204
        assert (await client.get("/ready")).json() == {"ready": True, "waiting_for": []}
        document = (await client.get("/openapi.json")).json()
        for path, methods in document["paths"].items():
            if path.startswith("/v1"):
                for method in methods.keys() - {"parameters"}:
                    response = await client.request(method, path.replace("{", "").replace("}", ""))
                    assert response.status_code == 401, (method, path)
                    assert response.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("value", ["", "Bearer", "Basic abc", "Bearer wrong", "Bearer é"])
async def test_a_wrong_key_opens_nothing(url: str, value: str) -> None:
    """Any other Authorization is 401 with a problem document."""
    async with httpx2.AsyncClient(base_url=url) as client:
        response = await client.get(
            "/v1/documents", headers={"Authorization": value.encode("latin-1")}
        )
    assert (response.status_code, response.json()["code"]) == (401, "unauthorised")


async def test_metrics_count_by_template(api: httpx2.AsyncClient) -> None:
    """Routes are counted by template, so that ids make no new series."""
    await api.get("/v1/requests/req_made_up")
    text = (await api.get("/metrics")).text
    assert 'route="/v1/requests/{request_id}",status="404"' in text
    assert "req_made_up" not in text


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_the_reference_loads_nothing_from_elsewhere(
    api: httpx2.AsyncClient, path: str
) -> None:
    """The page has its script and style inline, and a policy that allows these only."""
    response = await api.get(path)
    assert response.headers["Content-Type"].startswith("text/html")
    assert not re.search(r"(src|href)=.https?:", response.text)
    assert "connect-src 'self'" in response.headers["Content-Security-Policy"]
    assert "unsafe" not in response.headers["Content-Security-Policy"]


async def test_every_kind_of_problem_has_a_page(api: httpx2.AsyncClient) -> None:
    """The type of a problem leads to a page that says what to do."""
    for name, meaning in KINDS.items():
        page = (await api.get(f"/problems/{name}")).text
        assert meaning in html.unescape(page)
    assert (await api.get("/problems/nothing-such")).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nowhere", 404), ("PUT", "/v1/documents", 405), ("GET", "/v1/pings", 405)],
)
async def test_the_frameworks_own_errors_are_problems_too(
    api: httpx2.AsyncClient, method: str, path: str, status: int
) -> None:
    """Unknown paths and methods are problem documents with the usual headers."""
    response = await api.request(method, path)
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert ("Allow" in response.headers) == (status == 405)


async def test_bodies_of_other_calls_are_limited(api: httpx2.AsyncClient) -> None:
    """More than a mebibyte of JSON is 413, more than a file name is not needed for a ping."""
    response = await api.post("/v1/pings", json={"note": "x" * 1_100_000})
    assert (response.status_code, response.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 422),
        (b'{"note": 7}', "application/json", 422),
        (b'{"note": "a\\u0000"}', "application/json", 422),
        (b'{"nope": 1}', "application/json", 422),
        (b"\xff", "application/json", 400),
        (b'{"note": "x"}', "text/plain", 415),
        (b'{"note": "x"}', "", 415),
        (b"[" * 100_000, "application/json", 400),
    ],
)
async def test_bad_bodies_are_refused(
    api: httpx2.AsyncClient, content: bytes, kind: str, status: int
) -> None:
    """Not JSON, the wrong shape, unknown fields, NUL, invalid UTF-8 and foreign media types."""
    headers = {"Content-Type": kind} if kind else {}
    response = await api.post("/v1/pings?wait_s=0", content=content, headers=headers)
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("path", "key"), [("/openapi.json", "openapi"), ("/asyncapi.json", "asyncapi")]
)
async def test_the_gateway_describes_itself(api: httpx2.AsyncClient, path: str, key: str) -> None:
    """Both documents are served as JSON, without a key of their own."""
    response = await api.get(path)
    assert response.headers["Content-Type"] == "application/json"
    assert response.json()[key].startswith("3.")
