"""The one way in which this server says no: a status and Ollama's error body."""


class Refused(Exception):
    """A request that cannot be served; answered as `{"error": message}` with `status`."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
