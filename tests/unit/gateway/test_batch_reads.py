"""Statements that read batches, and the indexes that they need."""

from gateway.queries.batches import _ONE
from schemas.tables import BATCH_ENTRIES


def test_the_pace_of_a_batch_is_read_from_its_index_alone() -> None:
    """Its condition is the statement's, so that cancelled entries are not even walked past."""
    [index] = [each for each in BATCH_ENTRIES.indexes if each.name == "batch_entries_settled"]
    condition = str(index.dialect_options["postgresql"]["where"])

    assert "state <> 'cancelled'" in condition
    assert all(f"e.{part}" in _ONE for part in condition.split(" AND "))
