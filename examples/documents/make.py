"""Writes the sample documents, their true fields and the README of this folder."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from making import catalogue


def write(folder: Path, names: Sequence[str] = ()) -> list[Path]:
    """Writes samples and the truth beside each.

    Args:
        folder: where to; made if missing.
        names: file names of the wanted samples; without any, all of them and the README.

    Returns: the paths of the documents written.

    Raises:
        KeyError: a name is not that of a sample.
    """
    made = catalogue.samples()
    by_name = {sample.name: sample for sample in made}
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for sample in [by_name[name] for name in names] or made:
        path = folder / sample.name
        path.write_bytes(sample.content())
        path.with_suffix(".json").write_bytes(catalogue.truth(sample))
        written.append(path)
    if not names:
        (folder / "README.md").write_text(catalogue.readme(made), encoding="utf-8")
    return written


def main(arguments: Sequence[str]) -> None:
    """Reads the command line and writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="file names of samples; all without any")
    parser.add_argument("--to", type=Path, default=Path(__file__).parent, help="where to write")
    options = parser.parse_args(arguments)
    for path in write(options.to, options.names):
        print(f"{path.stat().st_size:>8}  {path.name}")


if __name__ == "__main__":
    main(sys.argv[1:])
