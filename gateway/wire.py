"""The protocol under the application: what is not HTTP is answered by a problem document too."""

from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.errors import Malformed
from gateway.problems import response

_STATUS_LINE: Final = b"HTTP/1.1 400 Bad Request\r\n"


class Protocol(HttpToolsProtocol):
    """Serves one connection."""

    def send_400_response(self, msg: str) -> None:
        """Answer what cannot be parsed, and close; uvicorn's own answer is a line of text."""
        del msg
        error = Malformed("this is not HTTP/1.1, or its URL has more than 65,535 characters")
        answer = response(error.problem(), {"connection": "close", "cache-control": "no-store"})
        lines = [name + b": " + value + b"\r\n" for name, value in answer.raw_headers]
        self.transport.write(b"".join([_STATUS_LINE, *lines, b"\r\n", bytes(answer.body)]))
        self.transport.close()
