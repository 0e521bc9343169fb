"""Every metric of the delay consumer, with its unit and what to do when it looks wrong."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

HELD: Final = Gauge(
    "actionstream_delay_held_records",
    "Records read from a retry topic and not yet returned; more wait in the topic itself.",
    ("topic",),
)
RETURNED: Final = Counter(
    "actionstream_delay_returned_total",
    "Records published to their stage's own topic, or as a dead letter of the retry topic.",
    ("topic",),
)
MALFORMED: Final = Counter(
    "actionstream_delay_malformed_total",
    "Records whose time or stage could not be read. Any: something else writes to the topic.",
    ("topic",),
)
FAILED: Final = Counter(
    "actionstream_delay_failed_total",
    "Attempts to publish that the brokers refused. Rising: a topic is missing or not allowed.",
    ("topic",),
)
LATE: Final = Histogram(
    "actionstream_delay_late_seconds",
    "Seconds from when a record was due to its acknowledgement. Above 10: too few consumers.",
    ("topic",),
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800),
)
