"""How a rebuild shows how far it is."""

import io

from rich.console import Console

from cli.reindexing import Bar, Lines


def test_without_a_terminal_lines_come_now_and_then() -> None:
    """The beginning and the end of each walk, and little in between."""
    written = io.StringIO()
    with Lines(Console(file=written, width=100)) as progress:
        for done in range(100, 1001, 100):
            progress.show("building", done, 1000)
        progress.show("checking", 1000, 1000)
        progress.say("documents-v2 is live")
    assert written.getvalue().splitlines() == [
        "building: 100 of 1000 texts",
        "building: 1000 of 1000 texts",
        "checking: 1000 of 1000 texts",
        "documents-v2 is live",
    ]


def test_on_a_terminal_a_bar_moves() -> None:
    """Each walk has its own, and what is said stands above them."""
    written = io.StringIO()
    with Bar(Console(file=written, width=100, force_terminal=True)) as progress:
        progress.show("building", 500, 1000)
        progress.say("waiting for opensearch")
        progress.show("checking", 7, 1000)
    assert all(
        word in written.getvalue() for word in ("500/1000", "7/1000", "waiting for opensearch")
    )
