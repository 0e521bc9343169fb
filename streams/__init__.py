"""The workers: the only writer of the domain."""
