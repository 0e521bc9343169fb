"""Alembic's entry: runs the migrations on the connection that `streams.bootstrap` hands in."""

from alembic import context

from schemas.tables import METADATA

connection = context.config.attributes["connection"]
context.configure(
    connection=connection, target_metadata=METADATA, transactional_ddl=True, compare_type=True
)
with context.begin_transaction():
    context.run_migrations()
