"""The options that the gateway's Kafka clients share."""

import logging
from typing import Any

from schemas.kafka import client_config
from schemas.settings import KafkaSettings


def options(settings: KafkaSettings, name: str) -> dict[str, Any]:
    """Returns: librdkafka's options to reach the brokers; `name` tells the client apart."""
    return {
        **client_config(settings),
        "client.id": f"actionstream-gateway-{name}",
        "logger": logging.getLogger(f"gateway.kafka.{name}"),
        "socket.keepalive.enable": True,
        "reconnect.backoff.ms": 100,
        "reconnect.backoff.max.ms": 2000,
        "log.connection.close": False,
    }
