"""A process that rebuilds the index a document at a time with vectors that need no model server.

Run as a module, with an installation's settings in the environment; prints what it is doing.
"""

import asyncio
import sys

from schemas.indexes import Vectors
from streams.clients.opensearch import SearchIndex
from streams.clients.postgres import Database
from streams.rebuild.run import Reindex
from streams.settings import Settings
from tests.fakes.models import FakeModels


class Printed:
    """Prints progress."""

    def show(self, doing: str, done: int, total: int) -> None:
        self.say(f"{doing} {done} {total}")

    def say(self, line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


async def main() -> None:
    """Rebuild."""
    settings = Settings()
    database = Database.connect(settings.database_url.get_secret_value(), pool=3)
    search = SearchIndex.connect(settings)
    wanted = Vectors(settings.embedding_model, settings.embedding_dimensions)
    models = FakeModels(lambda *_: None)  # type: ignore[arg-type, return-value]
    await Reindex(database, search, models, wanted, Printed(), page=1).run()


if __name__ == "__main__":
    asyncio.run(main())
