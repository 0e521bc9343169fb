"""Draws the reliability plot: how often answers of each confidence are right.

Writes a PNG file.
"""

import math
from pathlib import Path

from bench.calibration import Calibration

_Z = 1.96


def _interval(share: float, count: int) -> tuple[float, float]:
    """Where the true share lies at 95 %. Source: Wilson's score interval."""
    middle = (share + _Z**2 / (2 * count)) / (1 + _Z**2 / count)
    half = math.sqrt(share * (1 - share) / count + (_Z / (2 * count)) ** 2)
    half *= _Z / (1 + _Z**2 / count)
    return min(share, middle - half), max(share, middle + half)


def draw(path: Path, title: str, calibration: Calibration) -> None:
    """Draw the bins of `calibration` as a plot with counts into the PNG file `path`."""
    import matplotlib as mpl  # noqa: PLC0415 - a large import that only this needs

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - after the choice of the backend

    figure, (upper, lower) = plt.subplots(
        2, 1, figsize=(5, 6), height_ratios=(3, 1), sharex=True, layout="constrained"
    )
    sure = [mean for _, mean, _ in calibration.bins]
    upper.plot([0, 1], [0, 1], color="0.6", linestyle="--", label="honest")
    shares = [share for _, _, share in calibration.bins]
    spans = [_interval(share, count) for count, _, share in calibration.bins]
    reach = [
        [share - low for share, (low, _) in zip(shares, spans, strict=True)],
        [high - share for share, (_, high) in zip(shares, spans, strict=True)],
    ]
    upper.errorbar(sure, shares, yerr=reach, marker="o", capsize=3, label="measured, 95 %")
    upper.set(ylabel="share right", xlim=(0, 1), ylim=(0, 1.02), title=title)
    upper.legend(loc="upper left")
    lower.bar(sure, [count for count, _, _ in calibration.bins], width=0.06)
    lower.set(xlabel="confidence", ylabel="answers")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120, metadata={"Software": None})
    plt.close(figure)
