"""Clients of the systems that the workers use: thin, typed, with their errors told apart."""
