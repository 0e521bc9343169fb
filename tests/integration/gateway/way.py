"""The way from a gateway to Postgres, which a test can close and open again."""

import asyncio
from contextlib import suppress

from pydantic import SecretStr
from sqlalchemy import make_url

from gateway.settings import GatewaySettings

HOST = "127.0.0.1"


class Way:
    """A port that leads to the database of these settings while it is open."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._target = make_url(settings.gateway_database_url.get_secret_value())
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._port = 0

    async def start(self) -> SecretStr:
        """Returns: the URL of the database by this way, the same each time."""
        self._server = await asyncio.start_server(self._carry, HOST, self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        url = self._target.set(host=HOST, port=self._port)
        return SecretStr(url.render_as_string(hide_password=False))

    async def close(self) -> None:
        """End all connections and take no others."""
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.close()
        self._writers.clear()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(self._target.host, self._target.port)
        self._writers |= {writer, back}
        await asyncio.gather(_copied(reader, back), _copied(there, writer))


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
    writer.close()
