"""The ledger in memory does what the real one does."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.fakes.ledger import FakeLedger
from tests.suites.ledger import IDS, LedgerSuite


class TestFakeLedger(LedgerSuite):
    @pytest.fixture
    def make_ledger(self) -> Callable[..., Any]:
        return lambda lease_seconds=15.0: FakeLedger(lease_seconds)

    @pytest.fixture
    def tombstone(self) -> Callable[[Any], Awaitable[str]]:
        async def bury(ledger: FakeLedger) -> str:
            document_id = IDS.mint("doc", "demo")
            ledger.deleted.add(document_id)
            return document_id

        return bury

    @pytest.fixture
    def deletion(self) -> Callable[[Any, str], Awaitable[str]]:
        async def ask(ledger: FakeLedger, subject: str) -> str:
            document_id = IDS.mint("doc", "demo")
            ledger.asked.add((document_id, subject))
            return document_id

        return ask
