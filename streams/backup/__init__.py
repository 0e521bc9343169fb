"""Backups of the database: making, checking, keeping and restoring them.

Reads Postgres as the role that owns the tables. Writes the backup target, a folder or a place in
the object store, and databases that a restore makes; never the live one.
"""
