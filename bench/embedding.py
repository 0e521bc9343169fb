"""Measure the embedder: seconds to load, memory, and texts a second on one core.

    python -m bench embedding [--threads 1] [--cache DIR]

Reads the weights and the graph in the cache folder; prints one line a figure. `short` are lines of
about eight tokens, `chunk` is what the index stage makes, about 200 tokens.
"""

import argparse
import time
from pathlib import Path

import psutil

from local.environment import LocalSettings
from local.models.embedder import Embedder

SHORT = "Stainless mixing bowl, 5 l   12 x 8.50   102.00"
SENTENCE = "The tenant may end the lease of the garage with four weeks' notice in writing, and "
LEAST_S = 3.0


def main() -> None:
    """Load, then embed short texts and chunks, alone and 32 at once, for three seconds each."""
    default = (LocalSettings().cache or Path.home() / ".cache" / "actionstream") / "models"
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cache", type=Path, default=default)
    chosen = parser.parse_args()
    process = psutil.Process()
    began = time.perf_counter()
    embedder = Embedder(chosen.cache, threads=chosen.threads)
    print(f"load: {time.perf_counter() - began:.2f} s, hashes and probes checked")
    print(f"memory after load: {process.memory_info().rss / 2**20:.0f} MiB")
    for name, text in (("short", SHORT), ("chunk", SENTENCE * 11)):
        tokens = embedder.embed([text]).token_count
        for batch in (1, 32):
            wall, processor = rate(embedder, [text] * batch, process)
            print(
                f"{name} ({tokens} tokens), {batch} at once: {wall:.0f} a second, "
                f"{processor:.0f} a second of processor time"
            )
    print(f"memory at the end: {process.memory_info().rss / 2**20:.0f} MiB")


def rate(embedder: Embedder, texts: list[str], process: psutil.Process) -> tuple[float, float]:
    """Return the texts embedded in a second of the clock, and in one of the processor."""
    began, times = time.perf_counter(), process.cpu_times()
    used = times.user + times.system
    done = 0
    while time.perf_counter() - began < LEAST_S:
        embedder.embed(texts)
        done += len(texts)
    times = process.cpu_times()
    return done / (time.perf_counter() - began), done / (times.user + times.system - used)


if __name__ == "__main__":
    main()
