"""The doctor: looks at everything that the product needs, and says what is wrong and what to do."""

import asyncio
from collections.abc import Sequence

import typer
from rich.table import Table
from rich.text import Text

from cli.doctor import database, gateway, machine, models, servers
from cli.doctor.check import Check, Finding
from cli.errors import Failure
from cli.settings import gateway_settings, load
from cli.terminal import console, print_json
from streams.settings import Settings


def run(*, as_json: bool) -> None:
    """Look at everything and print what was found; exit with 1 if anything is wrong."""
    findings, checks = planned()
    findings += asyncio.run(_examined(checks))
    if as_json:
        wrong = not all(one.ok for one in findings)
        print_json({"ok": not wrong, "checks": [one.to_json() for one in findings]})
    else:
        show(findings)
    if not all(one.ok for one in findings):
        raise typer.Exit(1)


def planned() -> tuple[list[Finding], list[Check]]:
    """Returns: what is wrong with the settings already, and the checks that they allow."""
    findings: list[Finding] = []
    checks: list[Check] = []
    try:
        settings = load(Settings)
    except Failure as failure:
        findings.append(_unset("settings of workers", failure))
    else:
        for part in (servers, database, models, machine):
            checks += part.checks(settings)
    try:
        checks += gateway.checks(gateway_settings())
    except Failure as failure:
        findings.append(_unset("settings of the command line", failure))
    return findings, checks


def show(findings: Sequence[Finding]) -> None:
    """Print the findings as a table, what to do below each that is wrong."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for one in findings:
        mark = Text("ok", style="green") if one.ok else Text("WRONG", style="bold red")
        table.add_row(mark, Text(one.name, style="bold"), Text(one.detail))
        if one.remedy:
            table.add_row("", "", Text(f"→ {one.remedy}", style="yellow"))
    shown = console()
    shown.print(table)
    wrong = sum(not one.ok for one in findings)
    shown.print(
        f"{wrong} of {len(findings)} checks found something wrong" if wrong else "all is well"
    )


async def _examined(checks: Sequence[Check]) -> list[Finding]:
    return list(await asyncio.gather(*(check.examine() for check in checks)))


def _unset(name: str, failure: Failure) -> Finding:
    return Finding(name, ok=False, detail="they are incomplete or wrong", remedy=str(failure))
