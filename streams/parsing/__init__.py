"""Turning the bytes of a document into pages of text."""
