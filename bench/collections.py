"""Reads and writes of objects: the product, bare Starlette, pgbench with the same SQL, and Kinto.

Every operation at 1, 16 and 64 clients, each of which waits for its answer before it asks again,
with ten thousand and with two million objects stored; all on one machine and one Postgres, one
after the other within each line. Then whose a write's time is, and what it costs to know who calls
and whether that is too often. Whatever fails ends the run.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

import uvloop

from bench import anatomy, filters, limits
from bench.operations import READS, TITLES, WRITES
from bench.peers import Measured, Peer, peers
from bench.stack import stack
from bench.stored import example
from bench.subjects import PLAIN, Subjects, fill, plain, start

PEERS: Final = ("product", "bare", "kinto", "pgbench")
_AIMS: Final = {
    "bare": dict.fromkeys(READS, 0.6),
    "kinto": {**dict.fromkeys(READS, 10.0), "post": 4.0, "patch": 4.0, "batch": 10.0},
}


@dataclass(frozen=True, slots=True)
class Line:
    """One operation at one load with so many objects stored: what each peer did."""

    stored: int
    operation: str
    clients: int
    peers: dict[str, Measured]

    def times(self, peer: str) -> float | None:
        """Returns: how many times as many requests the product answered as a peer.

        None where one of them was not asked, or the peer had none ready in the whole time.
        """
        product, other = self.peers.get("product"), self.peers.get(peer)
        if product is None or other is None or not other.figures.requests:
            return None
        return product.figures.per_s / other.figures.per_s


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench collections", description=__doc__)
    every = (*READS, *WRITES)
    parser.add_argument("--seconds", type=float, default=5, help="of each measure (5)")
    parser.add_argument("--stored", type=int, nargs="+", default=[10_000, 2_000_000])
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 16, 64])
    parser.add_argument("--operations", nargs="+", default=every, choices=every)
    parser.add_argument("--peers", nargs="+", default=PEERS, choices=PEERS)
    parser.add_argument("--anatomy", type=int, default=300, help="writes taken apart (300)")
    parser.add_argument("--calls", type=int, default=50_000, help="authenticated, counted (50000)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


def lines(found: dict[str, Peer], count: int, options: argparse.Namespace) -> Iterator[Line]:
    """Yield each line as soon as it is measured."""
    for operation in options.operations:
        # Of batches, of which the slowest peer does one a second, it takes more to count enough.
        seconds = options.seconds * (3 if operation == "batch" else 1)
        for clients in options.clients:
            measured = {
                name: done
                for name in options.peers
                if (done := found[name].measure(operation, clients, seconds)) is not None
            }
            yield Line(count, operation, clients, measured)


def show(line: Line) -> None:
    """Print a line: rates and latencies of each peer, and what the aims say of them."""
    print(f"{line.stored} stored, {TITLES[line.operation]}, {line.clients} clients")
    for name, measured in line.peers.items():
        figures = measured.figures
        times, aim = line.times(name), _AIMS.get(name, {}).get(line.operation)
        compared = f"  product is {times:.2f} x" if times and name != "product" else ""
        aimed = f" (aim {aim:g})" if aim else ""
        again = f"  sent again {figures.repeats}" if figures.repeats else ""
        cpu = ", ".join(f"{part} {spent:.0f}" for part, spent in measured.cpu_us.items())
        print(
            f"  {name:<8} {figures.per_s:9.1f}/s  ms p50 {figures.p50:8.2f} p95 {figures.p95:8.2f}"
            f" p99 {figures.p99:8.2f}{compared}{aimed}{again}"
            + (f"  CPU us a request: {cpu}" if cpu else ""),
            flush=True,
        )


def take_apart(subjects: Subjects, options: argparse.Namespace) -> list[anatomy.Anatomy]:
    """Returns: the parts of a write's time, with one client and with 16."""
    body = json.dumps({"body": example()}).encode()
    path = f"/v1/gpts/{subjects.gpt_id}/collections/{PLAIN}/objects"
    key = subjects.made.environment["ACTIONSTREAM_API_KEY"]
    target = anatomy.Target(subjects.ports[0], path, key, body)
    url = plain(subjects.admin)
    return [
        anatomy.measure(subjects.made, target, url, options.anatomy, clients) for clients in (1, 16)
    ]


def show_parts(found: anatomy.Anatomy) -> None:
    """Print the parts of a write's time."""
    print(f"a write, {found.clients} clients: {found.whole:.2f} ms on average")
    for name, milliseconds in found.parts.items():
        print(f"  {milliseconds:7.2f} ms  {name}")
    print(
        f"  {found.database:7.2f} ms  Postgres at work for it, within the parts above;"
        f" {found.together:.1f} writes in a transaction",
        flush=True,
    )


def main() -> int:
    """Run the benchmark and print it."""
    options = _arguments()
    found: dict[str, list[Any]] = {"lines": [], "filters": [], "anatomy": []}
    costs: dict[str, float] = {}
    with stack(partitions="4") as made:
        subjects = start(made)
        for count in options.stored:
            fill(subjects, count)
            ready = peers(subjects, count)
            for line in lines(ready, count, options):
                show(line)
                found["lines"].append(asdict(line))
            for each in filters.measure(subjects, count, options.seconds):
                filters.show(each)
                found["filters"].append(asdict(each))
        if options.anatomy:
            for parts in take_apart(subjects, options):
                show_parts(parts)
                found["anatomy"].append(asdict(parts))
        if options.calls:
            print(
                "authentication and limits of one call, of a gateway's own CPU; statements by clock"
            )
            costs = uvloop.run(limits.in_process(limits.enter(made)["limited"], options.calls))
            limits.show_parts(costs)
    if options.json:
        print(json.dumps({**found, "microseconds": costs}))
    return 0
