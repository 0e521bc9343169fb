"""Percentiles, as every benchmark here prints them."""

from collections.abc import Sequence


def percentile(values: Sequence[float], share: float) -> float:
    """Returns: the value below which this share (0..1) of the values lies, by nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


def row(values: Sequence[float]) -> str:
    """Returns: p50, p95, p99 and the greatest, with one decimal."""
    shown = [percentile(values, share) for share in (0.5, 0.95, 0.99, 1.0)]
    return " / ".join(f"{value:.1f}" for value in shown)
