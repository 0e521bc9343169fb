"""The catalogue of topics beside what the cluster has."""

import logging
from collections.abc import Callable

import typer
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from rich.table import Table

from cli.errors import Failure
from cli.terminal import console, print_json
from schemas.kafka import client_config
from schemas.settings import KafkaSettings
from schemas.topics import CATALOGUE, INPUTS
from streams import topics_admin
from streams.topics_admin import Drift

__all__ = ["KafkaSettings", "apply", "quiet_admin", "reason", "show"]

_QUICK_S = 5


def apply(settings: KafkaSettings) -> None:
    """Make the cluster agree with the catalogue, and print what differed.

    Raises:
        Failure: the cluster does not answer, or something differs that only a person may mend.
    """
    found = _answered(settings, lambda _: topics_admin.apply(settings))
    created = [one for one in found if one.what == "missing"]
    if created:
        print(f"created {len(created)} topics")
    for one in found:
        if one.what != "missing":
            print(f"{one.topic}: {one.what}; {'mended' if one.mended else 'NOT mended'}")
    if left := [one.topic for one in found if not one.mended]:
        raise Failure(f"these topics still differ, and only a person may mend them: {_list(left)}")
    print(f"{len(topics_admin.wanted(settings))} topics agree with the catalogue")


def show(settings: KafkaSettings, *, as_json: bool) -> None:
    """Print the catalogue with each topic's differences; exit with 1 if there are any.

    Raises:
        Failure: the cluster does not answer.
    """
    found = _answered(settings, lambda admin: topics_admin.drift(settings, admin))
    if as_json:
        print_json({"topics": _rows(settings), "drift": _drift_rows(found)})
    else:
        _print(settings, found)
    if found:
        raise typer.Exit(1)


def quiet_admin(settings: KafkaSettings) -> AdminClient:
    """Returns: an admin client whose own messages do not reach the terminal.

    Raises:
        KafkaException: the brokers do not answer within 5 s.
    """
    silent = logging.getLogger("cli.kafka")
    silent.addHandler(logging.NullHandler())
    silent.propagate = False
    admin = AdminClient({**client_config(settings), "logger": silent})
    admin.list_topics(timeout=_QUICK_S)
    return admin


def _answered(settings: KafkaSettings, ask: Callable[[AdminClient], list[Drift]]) -> list[Drift]:
    try:
        return ask(quiet_admin(settings))
    except KafkaException as error:
        raise Failure(
            f"Kafka at {settings.kafka_bootstrap} refuses or does not answer ({reason(error)}); "
            "start it, or set ACTIONSTREAM_KAFKA_BOOTSTRAP"
        ) from None


def reason(error: KafkaException) -> str:
    """Returns: what librdkafka says is wrong."""
    cause = error.args[0]
    return str(cause.str() if hasattr(cause, "str") else cause)


def _rows(settings: KafkaSettings) -> list[dict[str, object]]:
    return [
        {
            "name": settings.topic_prefix + topic.name,
            "kind": topic.kind.value,
            "schema": topic.schema_name,
            "key": topic.key,
            "partitions": topic.partitions(settings.partitions),
            "retention_days": topic.retention.days,
            "dead_letter": settings.topic_prefix + topic.dead_letter if topic in INPUTS else None,
        }
        for topic in CATALOGUE
    ]


def _drift_rows(found: list[Drift]) -> list[dict[str, object]]:
    return [{"topic": one.topic, "what": one.what, "apply_mends": one.mended} for one in found]


def _print(settings: KafkaSettings, found: list[Drift]) -> None:
    table = Table("topic", "message", "key", "partitions", "kept", "cluster", box=None)
    differing = {one.topic for one in found}
    for row in _rows(settings):
        agrees = row["name"] not in differing and row["dead_letter"] not in differing
        table.add_row(
            str(row["name"]),
            str(row["schema"]),
            str(row["key"]),
            str(row["partitions"]),
            f"{row['retention_days']} d",
            "[green]agrees[/]" if agrees else "[red]differs[/]",
        )
    shown = console()
    shown.print(table)
    for one in found:
        remedy = "`actionstream topics apply` mends it" if one.mended else "mend it by hand"
        shown.print(f"{one.topic}: {one.what} ({remedy})", markup=False)


def _list(names: list[str]) -> str:
    return ", ".join(sorted(set(names)))
