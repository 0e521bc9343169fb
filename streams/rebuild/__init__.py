"""Rebuilding the search index beside the live one, from what Postgres has."""
