"""Settings of a gateway whose servers are nowhere."""

from typing import Any

import pytest

from gateway.settings import GatewaySettings

NOWHERE: dict[str, Any] = {
    "id_secret": "a secret of sixteen",
    "key_pepper": "a pepper of thirty-two characters",
    "gateway_database_url": "postgresql+psycopg://nobody@127.0.0.1:1/none",
    "kafka_bootstrap": "127.0.0.1:1",
    "opensearch_url": "http://127.0.0.1:1",
    "s3_endpoint": "http://127.0.0.1:1",
    "ollama_url": "http://127.0.0.1:1",
    "embedding_dimensions": 3,
    "max_waiters": 2,
    "topic_prefix": "t-",
    "rate_limits": "none",
}


@pytest.fixture
def nowhere() -> GatewaySettings:
    """Settings that lead to no server."""
    return GatewaySettings.model_validate(NOWHERE)
