"""Why a file of an archive, a line of a manifest, or a whole source does not become documents."""


class Trouble(Exception):
    """A stable code, and a sentence that says what is wrong and what would help."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
