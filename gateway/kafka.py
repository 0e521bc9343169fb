"""The options that the gateway's Kafka clients share."""

import logging
from typing import Any

from schemas.settings import KafkaSettings


def options(settings: KafkaSettings, name: str) -> dict[str, Any]:
    """Returns: librdkafka's options to reach the brokers; `name` tells the client apart."""
    found: dict[str, Any] = {
        "bootstrap.servers": settings.kafka_bootstrap,
        "security.protocol": settings.kafka_security_protocol,
        "client.id": f"actionstream-gateway-{name}",
        "logger": logging.getLogger(f"gateway.kafka.{name}"),
        "socket.keepalive.enable": True,
        "reconnect.backoff.ms": 100,
        "reconnect.backoff.max.ms": 2000,
        "log.connection.close": False,
    }
    if settings.kafka_security_protocol.startswith("SASL"):
        found["sasl.mechanism"] = settings.kafka_sasl_mechanism
        found["sasl.username"] = settings.kafka_username or ""
        password = settings.kafka_password
        found["sasl.password"] = "" if password is None else password.get_secret_value()
    if settings.kafka_ca_file:
        found["ssl.ca.location"] = settings.kafka_ca_file
    return found
