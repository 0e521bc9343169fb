"""The page of metrics: every one of each role that is long at work."""

from collections.abc import Iterable

from prometheus_client.registry import Collector

from cli.reference.markdown import NOTE, code, table

_HEAD = f"""\
# Metrics

{NOTE}
In Prometheus' text format, at `/metrics` of the gateway and, where `ACTIONSTREAM_METRICS_PORT` is
set, of each worker, delay consumer and schedule of backups. A counter's name ends in `_total`; a
histogram has `_bucket`, `_sum` and `_count`.

"""


def markdown() -> str:
    """Returns: the page."""
    return _HEAD + "\n".join(
        f"## {title}\n\n{table(('Metric', 'Kind', 'Labels', 'What it says'), map(_row, found))}"
        for title, found in (
            ("Gateway", gateway_metrics()),
            ("Workers", worker_metrics()),
            ("Delay consumer", delay_metrics()),
            ("Schedule of backups", backup_metrics()),
        )
    )


def gateway_metrics() -> list[Collector]:
    """Returns: the gateway's metrics, in the order of their catalogue."""
    from gateway.metrics import Metrics

    return [one for one in vars(Metrics()).values() if hasattr(one, "collect") and _named(one)]


def worker_metrics() -> list[Collector]:
    """Returns: the workers' metrics, in the order of their catalogue."""
    from streams import metrics

    return [one for one in vars(metrics).values() if hasattr(one, "collect") and _named(one)]


def delay_metrics() -> list[Collector]:
    """Returns: the delay consumer's metrics, in the order of their catalogue."""
    from streams.delay import metrics

    return [one for one in vars(metrics).values() if hasattr(one, "collect") and _named(one)]


def backup_metrics() -> list[Collector]:
    """Returns: the schedule's metrics, in the order of their catalogue."""
    from streams.backup import metrics

    return [one for one in vars(metrics).values() if hasattr(one, "collect") and _named(one)]


def _named(one: Collector) -> bool:
    return hasattr(one, "_labelnames")


def _row(one: Collector) -> tuple[str, str, str, str]:
    [family] = one.collect()
    name = family.name + ("_total" if family.type == "counter" else "")
    # The client library has no other way to ask for them before the first sample.
    labels: Iterable[str] = one._labelnames  # type: ignore[attr-defined]  # noqa: SLF001
    return code(name), family.type, ", ".join(map(code, labels)), family.documentation
