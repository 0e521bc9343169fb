"""Judging what is asked of collections and their objects: in memory, many records at once."""
