"""Refuse requests that name a foreign host, so that no web page gets here by DNS tricks."""

import ipaddress
import socket

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

_LOCAL_SUFFIXES = (".localhost", ".local", ".internal")


class OwnHostOnly:
    """Answers 403 unless the Host header names this machine or an address of a private network."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._own = {"", "localhost", socket.gethostname().lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "http" and not self._is_own(Headers(scope=scope).get("host", "")):
            await Response(status_code=403)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _is_own(self, header: str) -> bool:
        """Say whether a Host header, with or without its port, is one of ours."""
        host = header.lower()
        if host.startswith("["):
            host = host[1:].partition("]")[0]
        elif host.count(":") == 1:
            host = host.partition(":")[0]
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return host in self._own or host.endswith(_LOCAL_SUFFIXES)
        return address.is_loopback or address.is_private or address.is_unspecified
