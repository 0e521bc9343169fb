"""Links: the bytes behind an address that an outsider chose, without lending them this network.

The name is resolved once, every address is judged, and the connection goes to exactly the address
that was judged, with the name kept for TLS and the Host header; each redirect starts over. What
comes in is bounded in bytes and in time.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import BinaryIO, Final, Self

import httpx2

from schemas.addresses import Address, Network, is_public, is_within
from streams.clients.addresses import Resolve, resolve
from streams.errors import InvalidMessage, RecordTrouble
from streams.settings import Settings

MAX_REDIRECTS: Final = 5
MAX_ADDRESSES_TRIED: Final = 3
CONNECT_TIMEOUT_S: Final = 5.0
CHUNK_BYTES: Final = 65_536
HTTPS_PORT: Final = 443

_PASSING_REFUSALS = frozenset({408, 425, 429})


class FetchRefused(InvalidMessage):
    """The link will never be fetched; `code` is stable and `detail` says what to do."""


class FetchUnavailable(RecordTrouble):
    """The link's server did not do its part; a later try may succeed."""

    def __init__(self, detail: str) -> None:
        super().__init__("link", detail)


def transports() -> Callable[[], httpx2.AsyncBaseTransport]:
    """Return a maker of transports, which share one TLS context, as that is slow to build."""
    context = httpx2.create_ssl_context(trust_env=False)
    limits = httpx2.Limits(max_keepalive_connections=0)
    return lambda: httpx2.AsyncHTTPTransport(verify=context, trust_env=False, limits=limits)


@dataclass(frozen=True, slots=True)
class Fetch:
    """Fetches links into files.

    Attributes:
        max_bytes: size of a body.
        timeout: time for the whole of it, redirects included.
        allowed_networks: private networks that links may point into all the same. Only there are
            plain http and ports other than 443 allowed too.
        resolve: looks a name up.
        open_transport: makes the connections; each fetch has one of its own, so that no connection
            is shared between names.
    """

    max_bytes: int
    timeout: timedelta
    allowed_networks: tuple[Network, ...] = ()
    resolve: Resolve = resolve
    open_transport: Callable[[], httpx2.AsyncBaseTransport] = field(default_factory=transports)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return a fetcher with the limits of the settings."""
        return cls(
            max_bytes=settings.max_document_bytes,
            timeout=settings.fetch_timeout,
            allowed_networks=tuple(map(ip_network, settings.fetch_allowed_networks)),
        )

    async def __call__(self, url: str, target: Path) -> None:
        """Write what is behind `url` to `target`.

        Raises:
            FetchRefused: bad_url, bad_scheme, bad_port, credentials_in_url, private_address,
                no_such_host, too_many_redirects, not_found, not_allowed, bad_status,
                bad_certificate, bad_encoding or too_large; never retried.
            FetchUnavailable: no answer in time, a broken connection, or a server in trouble.
        """
        try:
            async with asyncio.timeout(self.timeout.total_seconds()):
                await self._fetch(_parsed(url), target)
        except TimeoutError:
            seconds = self.timeout.total_seconds()
            raise FetchUnavailable(f"The link was not read within {seconds:g} s.") from None

    async def _fetch(self, url: httpx2.URL, target: Path) -> None:
        timeout = httpx2.Timeout(self.timeout.total_seconds(), connect=CONNECT_TIMEOUT_S)
        async with httpx2.AsyncClient(
            transport=self.open_transport(), timeout=timeout, trust_env=False
        ) as client:
            for _ in range(MAX_REDIRECTS + 1):
                response = await self._get(client, url)
                async with contextlib.aclosing(response):
                    if not response.has_redirect_location:
                        _check_status(response, url)
                        await self._save(response, target)
                        return
                    url = _parsed(str(url.join(response.headers["location"])))
        raise FetchRefused(
            "too_many_redirects",
            f"The link redirects more than {MAX_REDIRECTS} times; link to the file itself.",
        )

    async def _get(self, client: httpx2.AsyncClient, url: httpx2.URL) -> httpx2.Response:
        """Send the request to an address of the URL's host that was judged."""
        addresses = await self._judged(url)
        failed: Exception | None = None
        for address in addresses[:MAX_ADDRESSES_TRIED]:
            request = client.build_request(
                "GET",
                url,
                # A compressed body could be a bomb; only the plain one is accepted.
                headers={"accept-encoding": "identity", "user-agent": "actionstream"},
            )
            request.extensions["sni_hostname"] = url.raw_host.decode("ascii")
            request.url = url.copy_with(host=str(address))
            try:
                return await client.send(request, stream=True)
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                if _caused_by(error, ssl.SSLCertVerificationError):
                    raise FetchRefused(
                        "bad_certificate",
                        f"The certificate of {url.host} is not valid for it; have it renewed.",
                    ) from error
                failed = error
            except httpx2.RequestError as error:
                raise _broken(url, error) from error
        raise _broken(url, failed) from failed

    async def _judged(self, url: httpx2.URL) -> list[Address]:
        """Return the addresses of the URL's host, all of which may be connected to."""
        port = url.port or (HTTPS_PORT if url.scheme == "https" else 80)
        try:
            names = await self.resolve(url.raw_host.decode("ascii"), port)
        except socket.gaierror as error:
            if error.errno == socket.EAI_AGAIN:
                raise FetchUnavailable(f"The name {url.host} could not be looked up.") from error
            raise FetchRefused(
                "no_such_host", f"There is no host {url.host}; correct the link."
            ) from error
        except UnicodeError as error:
            raise FetchRefused("bad_url", "The link's host name is not valid.") from error
        addresses = [ip_address(name.partition("%")[0]) for name in names]
        if addresses and all(self._is_allowed(address) for address in addresses):
            return addresses
        if not addresses or not all(
            is_public(address) or self._is_allowed(address) for address in addresses
        ):
            raise FetchRefused(
                "private_address",
                f"{url.host} is not on the public internet; upload the file instead.",
            )
        if url.scheme != "https":
            raise FetchRefused("bad_scheme", "Only https links are fetched; use one.")
        if port != HTTPS_PORT:
            raise FetchRefused("bad_port", "Only links to port 443 are fetched; use one.")
        return addresses

    def _is_allowed(self, address: Address) -> bool:
        return is_within(address, self.allowed_networks)

    async def _save(self, response: httpx2.Response, target: Path) -> None:
        encoding = response.headers.get("content-encoding", "identity")
        if encoding.strip().lower() not in {"", "identity"}:
            raise FetchRefused(
                "bad_encoding", "The server insists on compressing the file; upload it instead."
            )
        declared = response.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > self.max_bytes:
            raise self._too_large()
        file: BinaryIO = await asyncio.to_thread(target.open, "wb")
        try:
            await self._copy(response, file)
        finally:
            await asyncio.to_thread(file.close)

    async def _copy(self, response: httpx2.Response, file: BinaryIO) -> None:
        size = 0
        try:
            async for chunk in response.aiter_raw(CHUNK_BYTES):
                size += len(chunk)
                if size > self.max_bytes:
                    raise self._too_large()
                await asyncio.to_thread(file.write, chunk)
        except httpx2.RequestError as error:
            raise FetchUnavailable("The connection broke before the end of the file.") from error

    def _too_large(self) -> FetchRefused:
        return FetchRefused(
            "too_large",
            f"The file behind the link has more than {self.max_bytes:,} bytes; send a smaller one.",
        )


def _parsed(url: str) -> httpx2.URL:
    """Return the URL, if it is one that could be fetched at all."""
    try:
        parsed = httpx2.URL(url)
    except (httpx2.InvalidURL, ValueError) as error:
        raise FetchRefused("bad_url", "The link is not a URL; correct it.") from error
    if parsed.scheme not in {"https", "http"}:
        raise FetchRefused("bad_scheme", "Only https links are fetched; use one.")
    if not parsed.host:
        raise FetchRefused("bad_url", "The link has no host name; correct it.")
    if parsed.userinfo:
        raise FetchRefused(
            "credentials_in_url", "Links with a user name or password are not fetched."
        )
    return parsed


def _check_status(response: httpx2.Response, url: httpx2.URL) -> None:
    status = response.status_code
    if response.is_success:
        return
    if response.is_server_error or status in _PASSING_REFUSALS:
        raise FetchUnavailable(f"{url.host} answered with status {status}.")
    if status in {404, 410}:
        raise FetchRefused("not_found", f"There is nothing behind the link (status {status}).")
    if status in {401, 403}:
        raise FetchRefused(
            "not_allowed",
            f"{url.host} does not let the file be read (status {status}); use a public link.",
        )
    raise FetchRefused("bad_status", f"{url.host} answered with status {status}.")


def _caused_by(error: BaseException | None, kind: type[BaseException]) -> bool:
    while error is not None:
        if isinstance(error, kind):
            return True
        error = error.__cause__ or error.__context__
    return False


def _broken(url: httpx2.URL, error: Exception | None) -> FetchUnavailable:
    return FetchUnavailable(f"{url.host} could not be read ({type(error).__name__}).")
