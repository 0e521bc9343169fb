"""What holds for all suites: no time limit on an example, and plain logs."""

import structlog
from hypothesis import settings

settings.register_profile("actionstream", deadline=None, derandomize=True, max_examples=50)
# Other calls each time, and more of them: `make fuzz`.
settings.register_profile("deep", deadline=None, max_examples=500)
settings.load_profile("actionstream")

structlog.configure(
    processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
)
