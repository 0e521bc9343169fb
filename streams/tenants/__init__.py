"""Judging what is asked of tenants and keys; the stage `tenants` does what is decided here."""
