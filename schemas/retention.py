"""How long inputs are kept, which everything that must outlive them goes by."""

from datetime import timedelta
from typing import Final

INPUT_RETENTION: Final = timedelta(days=30)
"""Inputs are the outbox of the steps that read them, so they outlive any outage."""

LONGEST_INPUT: Final = INPUT_RETENTION + timedelta(days=8)
"""Age from which no topic can hold an input any more.

A broker deletes whole segments, which it closes after seven days at the latest, and a day is margin
for clocks.
"""
