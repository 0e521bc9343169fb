"""Sending one delivery: to an address that was judged, within a time, reading little of the answer.

As in `streams/clients/fetch.py`, the name is resolved once, every address is judged, and the
connection goes to exactly the one that was judged. Redirects are answers like any other.
"""

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address, ip_network
from typing import Final, Self

import httpx2

from schemas.addresses import Address, Network, is_public, is_within
from streams.clients.addresses import Resolve, resolve
from streams.settings import Settings

MAX_ADDRESSES_TRIED: Final = 3
EXCERPT_BYTES: Final = 1024
EXCERPT_SECONDS: Final = 1.0
"""How long the beginning of a body is waited for; the status has been decided by then."""

_RETRY_LATER: Final = frozenset({429, 503})
GONE: Final = 410


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an attempt: a status, or an error where there was none.

    `error` is a stable code: private_address, https_only, no_such_host, bad_certificate,
    unreachable, timeout, broken, bad_url, not_taken (a status that is not 2xx); secret_unreadable
    and internal_error are ours.
    """

    latency_ms: int
    status: int | None = None
    excerpt: str | None = None
    error: str | None = None
    retry_after_s: float | None = None

    @property
    def taken(self) -> bool:
        """Returns: whether the receiver has the event."""
        return self.error is None


class _Failed(Exception):
    """No answer came; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def transports() -> Callable[[], httpx2.AsyncBaseTransport]:
    """Returns: a maker of transports, which share one TLS context, as that is slow to build."""
    context = httpx2.create_ssl_context(trust_env=False)
    return lambda: httpx2.AsyncHTTPTransport(verify=context, trust_env=False)


@dataclass(frozen=True, slots=True)
class Sender:
    """Opens the way to endpoints.

    Attributes:
        timeout_s: time for one attempt, from the name to the answer.
        allowed_networks: private networks that endpoints may be in; only there is http allowed.
        resolve: looks a name up.
        open_transport: makes the connections; each way has its own.
    """

    timeout_s: float
    allowed_networks: tuple[Network, ...] = ()
    resolve: Resolve = resolve
    open_transport: Callable[[], httpx2.AsyncBaseTransport] = field(default_factory=transports)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Returns: a sender with the limits of the settings."""
        return cls(
            timeout_s=settings.webhook_timeout.total_seconds(),
            allowed_networks=tuple(map(ip_network, settings.webhook_allowed_networks)),
        )

    @contextlib.asynccontextmanager
    async def to(self, url: str) -> "AsyncIterator[Way]":
        """Yield the way to an endpoint, on which connections are kept for the next attempt."""
        async with httpx2.AsyncClient(
            transport=self.open_transport(),
            timeout=httpx2.Timeout(self.timeout_s),
            trust_env=False,
        ) as client:
            yield Way(self, client, url)

    async def judged(self, url: httpx2.URL) -> list[Address]:
        """Returns: the addresses of the URL's host, all of which may be connected to."""
        port = url.port or (443 if url.scheme == "https" else 80)
        try:
            names = await self.resolve(url.raw_host.decode("ascii"), port)
        except socket.gaierror:
            raise _Failed("no_such_host") from None
        except UnicodeError:
            raise _Failed("bad_url") from None
        addresses = [ip_address(name.partition("%")[0]) for name in names]
        if not addresses:
            raise _Failed("no_such_host")
        own = [is_within(address, self.allowed_networks) for address in addresses]
        if not all(within or is_public(each) for each, within in zip(addresses, own, strict=True)):
            raise _Failed("private_address")
        if url.scheme != "https" and not all(own):
            raise _Failed("https_only")
        return addresses


class Way:
    """The way to one endpoint: its name is looked up and judged at the first attempt."""

    def __init__(self, sender: Sender, client: httpx2.AsyncClient, url: str) -> None:
        self._sender = sender
        self._client = client
        self._url = url
        self._addresses: Sequence[Address] = ()

    async def post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Returns: what became of an attempt; it raises nothing that an endpoint can cause."""
        started = time.monotonic()
        try:
            async with asyncio.timeout(self._sender.timeout_s):
                response = await self._sent(body, headers)
        except TimeoutError:
            return Answer(_since(started), error="timeout")
        except _Failed as failed:
            return Answer(_since(started), error=failed.code)
        left = self._sender.timeout_s - (time.monotonic() - started)
        excerpt = await _excerpt(response, min(left, EXCERPT_SECONDS))
        status = response.status_code
        later = _retry_after(response) if status in _RETRY_LATER else None
        error = None if response.is_success else "not_taken"
        return Answer(_since(started), status, excerpt, error, later)

    async def _sent(self, body: bytes, headers: Mapping[str, str]) -> httpx2.Response:
        try:
            url = httpx2.URL(self._url)
        except (httpx2.InvalidURL, ValueError):
            raise _Failed("bad_url") from None
        self._addresses = self._addresses or await self._sender.judged(url)
        code = "unreachable"
        for address in self._addresses[:MAX_ADDRESSES_TRIED]:
            request = self._client.build_request("POST", url, content=body, headers=dict(headers))
            request.extensions["sni_hostname"] = url.raw_host.decode("ascii")
            request.url = url.copy_with(host=str(address))
            try:
                return await self._client.send(request, stream=True, follow_redirects=False)
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                if _is_about_certificate(error):
                    raise _Failed("bad_certificate") from None
            except httpx2.TimeoutException:
                raise _Failed("timeout") from None
            except httpx2.RequestError:
                raise _Failed("broken") from None
        raise _Failed(code)


async def _excerpt(response: httpx2.Response, seconds: float) -> str:
    """Returns: the beginning of the body as text, as far as it comes within the time."""
    read = b""
    with contextlib.suppress(httpx2.RequestError, TimeoutError, httpx2.StreamError):
        async with asyncio.timeout(max(seconds, 0)):
            async for chunk in response.aiter_raw(EXCERPT_BYTES):
                read += chunk
                if len(read) >= EXCERPT_BYTES:
                    break
    with contextlib.suppress(httpx2.RequestError, RuntimeError):
        await response.aclose()
    text = read[:EXCERPT_BYTES].decode(errors="replace")
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _retry_after(response: httpx2.Response) -> float | None:
    """Returns: for how many seconds a receiver asks to be left alone (RFC 9110, 10.2.3)."""
    value = response.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdecimal():
        return float(value[:9])
    try:
        until = parsedate_to_datetime(value)
        return max((until - datetime.now(UTC)).total_seconds(), 0.0)
    except (TypeError, ValueError, OverflowError):
        return None


def _is_about_certificate(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
