"""Topics: make the cluster agree with the catalogue, and show where it does not."""

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Make and compare the Kafka topics.")


@app.command("apply")
def apply_() -> None:
    """Create missing topics, add partitions, set their configuration; report what differs."""
    from cli import kafka
    from cli.settings import load

    kafka.apply(load(kafka.KafkaSettings))


@app.command()
def show(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False
) -> None:
    """Show the catalogue and how the cluster differs from it; exit code 1 if it does."""
    from cli import kafka
    from cli.settings import load

    kafka.show(load(kafka.KafkaSettings), as_json=as_json)
