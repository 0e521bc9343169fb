"""Measuring the product: each module is a command, run as `python -m bench NAME`."""
