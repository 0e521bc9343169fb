"""What holds for all suites: no time limit on an example, and plain logs."""

import structlog
from hypothesis import settings

settings.register_profile("actionstream", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("actionstream")

structlog.configure(
    processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
)
