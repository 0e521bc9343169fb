"""The real ledger agrees with the model of a ledger, whatever workers do."""

from datetime import timedelta

import pytest
from hypothesis import settings as hypothesis_settings
from sqlalchemy import text

from streams.clients.postgres import Database
from streams.ledger import Ledger
from streams.settings import Settings
from tests.suites.ledger_machine import LedgerMachine


class Machine(LedgerMachine):
    url: str

    def open(self) -> Ledger:
        self.database = Database.connect(self.url, pool=2)
        return Ledger(self.database, owner="test", lease=timedelta(seconds=60))

    def lapse(self) -> None:
        self.ask(self._lapse())

    async def _lapse(self) -> None:
        ended = text(
            "UPDATE steps SET lease_until = now() - interval '1 s'"
            " WHERE run_id = :run AND lease_until IS NOT NULL"
        )
        async with self.database.transaction() as connection:
            await connection.execute(ended, {"run": self.work.key.run_id})

    def close(self) -> None:
        self.ask(self.database.close())


Machine.TestCase.settings = hypothesis_settings(
    hypothesis_settings.get_profile(hypothesis_settings.get_current_profile_name()),
    max_examples=25,
)


@pytest.mark.usefixtures("address")
class TestLedgerMachine(Machine.TestCase):  # type: ignore[name-defined,misc]
    """Runs the machine against Postgres."""


@pytest.fixture(scope="module")
def address(settings: Settings) -> None:
    """Tell the machine where its database is."""
    Machine.url = settings.database_url.get_secret_value()
