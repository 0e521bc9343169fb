"""What may be chosen for a chaos run."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

DESCRIPTION = """Break everything, at random moments that a seed decides, under a steady load; then
look from outside whether anything was lost or done twice. Exit code 1 if so."""


@dataclass(frozen=True)
class Options:
    """What is broken, how often, and under which load.

    Attributes:
        seed: decides the documents, the faults and their moments.
        kills: end after so many kills; none ends by time alone.
        minutes: end after so long.
        load: requests a second.
        pause: seconds between two faults, on average.
        workers: how many there are at first.
        gateways: how many there are.
        holders: how many processes hold delayed records.
        patience: minutes without any progress after which the run is said to hang.
        short: whether every cheap kind of fault is done once and that is all.
        rolling: whether the throughput during a rolling restart is measured before the faults.
        report: folder of the report.
    """

    seed: int = 1
    kills: int | None = 200
    minutes: float = 60.0
    load: float = 2.0
    pause: float = 5.0
    workers: int = 3
    gateways: int = 2
    holders: int = 2
    patience: float = 4.0
    short: bool = False
    rolling: bool = True
    report: Path = Path(".actionstream/chaos")


def parse(arguments: Sequence[str]) -> Options:
    """Returns: the options of a command line; ends with a message where they cannot be."""
    default = Options()
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=DESCRIPTION)
    parser.add_argument("--seed", type=int, help="decides documents and faults (1)")
    parser.add_argument("--kills", type=int, help="end after so many kills (200)")
    parser.add_argument("--minutes", type=float, help="end after so many minutes (60)")
    parser.add_argument("--load", type=float, help="requests a second (2)")
    parser.add_argument("--pause", type=float, help="seconds between faults, on average (5)")
    parser.add_argument("--workers", type=int, help="workers at first (3)")
    parser.add_argument("--gateways", type=int, help="gateways (2)")
    parser.add_argument("--holders", type=int, help="holders of delayed records (2)")
    parser.add_argument("--patience", type=float, help="minutes without progress: a hang (4)")
    parser.add_argument("--no-rolling", dest="rolling", action="store_false", help="not measured")
    parser.add_argument("--report", type=Path, help="folder of the report (.actionstream/chaos)")
    parser.add_argument("--short", action="store_true", help="every cheap fault once, and no more")
    parser.set_defaults(**{each.name: getattr(default, each.name) for each in fields(default)})
    return Options(**vars(parser.parse_args(arguments)))
