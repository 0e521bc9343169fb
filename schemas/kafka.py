"""How every client of librdkafka is configured from the settings."""

from schemas.settings import KafkaSettings


def client_config(settings: KafkaSettings) -> dict[str, str | int]:
    """Returns: addresses and credentials, as librdkafka names them."""
    config: dict[str, str | int] = {
        "bootstrap.servers": settings.kafka_bootstrap,
        "security.protocol": settings.kafka_security_protocol,
    }
    if settings.kafka_ca_file:
        config["ssl.ca.location"] = settings.kafka_ca_file
    if "SASL" in settings.kafka_security_protocol:
        config["sasl.mechanism"] = settings.kafka_sasl_mechanism
        config["sasl.username"] = settings.kafka_username or ""
        password = settings.kafka_password
        config["sasl.password"] = password.get_secret_value() if password else ""
    return config


def producer_config(settings: KafkaSettings) -> dict[str, str | int | bool]:
    """Returns: a producer that loses nothing and sends at once.

    It is not an idempotent one, and has one request in flight. After a broker's hard restart an
    idempotent producer was told of records as written that no partition held: a later batch had got
    there first, and the refusal of the earlier one then passes for a duplicate. Here a refused
    batch is sent again, before any later one; what arrives twice is told apart by its ids.

    The partitioner is that of the Java and Python clients; librdkafka's own would put the records
    of one key into another partition than the workers' producer does.
    """
    return {
        **client_config(settings),
        "acks": "all",
        "enable.idempotence": False,
        "max.in.flight.requests.per.connection": 1,
        "linger.ms": 0,
        "partitioner": "murmur2_random",
    }
