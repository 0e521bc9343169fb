"""The ledger on a real Postgres."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert

from schemas.tables import DOCUMENTS, REQUESTS
from streams.clients.postgres import Database
from streams.ledger import Ledger
from tests.suites.ledger import IDS, LedgerSuite


class TestLedger(LedgerSuite):
    @pytest.fixture
    def make_ledger(self, database: Database) -> Callable[..., Ledger]:
        def make(lease_seconds: float = 15.0) -> Ledger:
            return Ledger(database, owner="test", lease=timedelta(seconds=lease_seconds))

        return make

    @pytest.fixture
    def tombstone(self, database: Database) -> Callable[[Any], Awaitable[str]]:
        async def bury(_: Ledger) -> str:
            document_id = IDS.mint("doc", "demo")
            row = insert(DOCUMENTS).values(
                document_id=document_id,
                gpt_id="demo",
                status="cancelled",
                deleted_at=func.now(),
            )
            async with database.transaction() as connection:
                await connection.execute(row)
            return document_id

        return bury

    @pytest.fixture
    def deletion(self, database: Database) -> Callable[[Any, str], Awaitable[str]]:
        async def ask(_: Ledger, subject: str) -> str:
            document_id = IDS.mint("doc", "demo")
            row = insert(REQUESTS).values(
                request_id=IDS.mint("req", "demo"),
                gpt_id="demo",
                subject=subject,
                kind="delete-document",
                status="completed",
                document_id=document_id,
            )
            async with database.transaction() as connection:
                await connection.execute(row)
            return document_id

        return ask
