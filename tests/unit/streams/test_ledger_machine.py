"""The ledger in memory agrees with the model of a ledger, whatever workers do."""

from typing import Any, cast

from streams.ledger import Ledger
from tests.fakes.ledger import FakeLedger
from tests.suites.ledger_machine import LedgerMachine


class Machine(LedgerMachine):
    def open(self) -> Ledger:
        self.now = 0.0
        fake: Any = FakeLedger(clock=lambda: self.now)
        return cast("Ledger", fake)

    def lapse(self) -> None:
        self.now += 100


TestLedgerMachine = Machine.TestCase
