"""What all tables share: their catalogue, and the times that every row bears."""

from typing import Final

from sqlalchemy import Column, DateTime, MetaData, func

METADATA: Final = MetaData()


def created_at() -> Column[object]:
    """Returns: the column of when a row was made."""
    return Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now())


def updated_at() -> Column[object]:
    """Returns: the column of when a row was last changed."""
    return Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now())
