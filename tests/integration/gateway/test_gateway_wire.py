"""What the framework and the server below it refuse: problem documents too, and never a page."""

import asyncio
from urllib.parse import urlsplit

import httpx2
import pytest

MEMBERS = {"type", "title", "status", "detail", "code"}
CHUNKED = b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


def check(answer: httpx2.Response, status: int) -> None:
    """Checks that an answer is a problem document of that status."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert set(problem) >= MEMBERS
    assert problem["status"] == status


@pytest.mark.parametrize(
    "path",
    ["/", "/v1", "/v2/documents", "/v1/documents/", "//v1/documents", "/..%2f", "/%00", "/é"],
)
async def test_unknown_paths_are_404(api: httpx2.AsyncClient, path: str) -> None:
    """Near misses too: a path is not rewritten into another."""
    check(await api.get(path), 404)


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"])
async def test_methods_that_a_path_has_not_are_405(api: httpx2.AsyncClient, method: str) -> None:
    """With all those that it has; HEAD gets the same without a body."""
    answer = await api.request(method, "/v1/documents")
    assert answer.headers["allow"] == "GET, POST"
    if method == "HEAD":
        assert (answer.status_code, answer.content) == (405, b"")
    else:
        check(answer, 405)


async def test_a_path_that_is_written_out_is_no_id(api: httpx2.AsyncClient) -> None:
    """Allow of /redrive has not what a dead letter of that id would have."""
    answer = await api.request("OPTIONS", "/v1/dead-letters/redrive")
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize(
    ("accept", "status"),
    [("text/html", 406), ("application/xml", 406), ("", 200), ("text/*, */*;q=0.1", 200)],
)
async def test_answers_are_json(api: httpx2.AsyncClient, accept: str, status: int) -> None:
    """Who takes no JSON is told so in a problem document, which is JSON all the same."""
    response = await api.get("/v1/document-types", headers={"Accept": accept})
    assert response.status_code == status
    kind = "application/json" if status == 200 else "application/problem+json"
    assert response.headers["Content-Type"] == kind


@pytest.mark.parametrize(
    "kind", ["text/html", "application/xml", "multipart/form-data", "json", ""]
)
async def test_other_content_types_are_415(api: httpx2.AsyncClient, kind: str) -> None:
    """Before anything of the body is read as JSON."""
    headers = {"Content-Type": kind}
    check(await api.post("/v1/search", content=b'{"q": "x"}', headers=headers), 415)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"BREW /v1/documents HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /live HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"POST /v1/pings HTTP/1.1\r\nHost: x\r\n{key}" + CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n", 400),
        (b"POST /v1/pings HTTP/1.1\r\nHost: x\r\n{key}Content-Length: -1\r\n\r\n", 400),
        (b"POST /v1/pings HTTP/1.1\r\nHost: x\r\n{key}Content-Length: 9999999\r\n\r\n", 413),
    ],
)
async def test_what_is_not_http_gets_a_problem_too(
    url: str, headers: dict[str, str], request_: bytes, status: int
) -> None:
    """Malformed lines, headers and chunks, URLs that do not end, TLS to a port without it."""
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    key = f"Authorization: {headers['Authorization']}\r\n".encode()
    writer.write(request_.replace(b"{key}", key))
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
    body = await reader.readexactly(length)
    writer.close()

    assert head.startswith(f"http/1.1 {status} ")
    assert "content-type: application/problem+json" in head
    check(
        httpx2.Response(status, headers={"content-type": "application/problem+json"}, content=body),
        status,
    )
