"""Import: what a folder holds, looked through first, into the tenant of the key; over HTTP."""

from dataclasses import dataclass
from pathlib import Path

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from cli.client import Gateway
from cli.display import display
from cli.terminal import console, print_json
from cli.transfer.checking import Content, Only, checked
from cli.transfer.journal import Journal, opened
from cli.transfer.layout import objects_of
from cli.transfer.objects import Objects
from cli.transfer.report import Report
from cli.transfer.uploads import Uploads


@dataclass(frozen=True, slots=True)
class Options:
    """What of a folder is imported, and whether what was imported before comes again."""

    only: Only | None = None
    again: bool = False
    as_json: bool = False


def preview(folder: Path, options: Options) -> None:
    """Look a folder through and say what an import would bring in.

    Raises:
        Failure: the folder is torn, or no export.
    """
    content = checked(folder, options.only)
    twins = sum(map(len, content.twins.values()))
    found = {
        "gpt_id": content.manifest.gpt_id,
        "exported_at": content.manifest.ended_at.isoformat(),
        "collections": len(content.collections),
        "objects": content.objects,
        "objects_with_taken_keys": twins,
        "document_types": len(content.types),
        "documents": len(content.documents),
        "attachments": content.attached,
        "documents_without_file": content.fileless,
    }
    if options.as_json:
        print_json(found)
        return
    print(
        f"{folder} is whole: {content.manifest.gpt_id}, exported {content.manifest.ended_at:%F %T}"
    )
    print(f"would import {len(content.collections)} collections with {content.objects} objects")
    print(
        f"would import {len(content.types)} document types and {len(content.documents)} documents"
    )
    _say_left_out(content)


def bring_in(gateway: Gateway, gpt_id: str, folder: Path, options: Options) -> None:
    """Import a folder and say what came of it; exit code 1 if anything failed.

    Raises:
        Failure: the folder is torn or no export, or the gateway does not answer.
    """
    content = checked(folder, options.only)
    report = Report()
    target = (gateway.url, gpt_id)
    export_id = content.manifest.export_id
    with opened(folder, export_id, target, again=options.again) as journal:
        _bring_objects(content, Objects(gateway, gpt_id, journal, report))
        _bring_documents(content, gateway, journal, report, silent=options.as_json)
    _say(report, content, as_json=options.as_json)
    if report.failed:
        raise typer.Exit(1)


def _bring_objects(content: Content, objects: Objects) -> None:
    shown = console()
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=shown,
        transient=True,
        disable=not shown.is_terminal,
    )
    bar = bars.add_task("objects", total=content.objects)
    with bars:
        for settings in content.collections:
            twins = content.twins.get(objects_of(settings["name"]), {})
            objects.bring(content.root, settings, twins, lambda count: bars.advance(bar, count))


def _bring_documents(
    content: Content, gateway: Gateway, journal: Journal, report: Report, *, silent: bool
) -> None:
    uploads = Uploads(gateway, journal, report)
    uploads.define(content.types)
    if content.documents:
        uploads.bring(content.root, content.documents, display(console(), silent=silent))


def _say(report: Report, content: Content, *, as_json: bool) -> None:
    if as_json:
        print_json(report.to_json())
        return
    print(
        f"{report.collections} collections; {report.objects} objects imported, {report.before} "
        f"imported before, {report.expired} expired; {report.types} document types; "
        f"{report.documents} documents, {report.corrected} corrected; {report.failed} failed"
    )
    _say_left_out(content)


def _say_left_out(content: Content) -> None:
    if content.attached:
        print(f"{content.attached} attachments are taken from their documents again")
    if content.fileless:
        print(f"{content.fileless} documents have no file in the export and are left out")
