"""Making, changing and showing GPTs through the gateway."""

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

import typer
from rich.table import Table
from rich.text import Text

from cli.client import Gateway, Json
from cli.errors import Failure
from cli.terminal import console, print_json
from schemas.states import Status

PATH: Final = "/v1/admin/gpts"
_DEFAULT: Final = "default"
_PAGE: Final = 100


def quoted(text: str) -> str:
    """Returns: a text as one part of a path."""
    return quote(text, safe="")


def path(gpt_id: str) -> str:
    """Returns: the path of a GPT."""
    return f"{PATH}/{quoted(gpt_id)}"


def changes(name: str | None, max_objects: str | None, max_bytes: str | None) -> Json:
    """Returns: what was given, as the gateway takes it. Raises: Failure: a quota is no number."""
    quotas = {"max_objects": max_objects, "max_bytes": max_bytes}
    given = {key: _quota(text) for key, text in quotas.items() if text is not None}
    return given if name is None else {"name": name, **given}


def _quota(text: str) -> int | None:
    if text == _DEFAULT:
        return None
    try:
        return int(text.replace("_", ""))
    except ValueError:
        raise Failure(f"{text} is no quota; give a number, or `{_DEFAULT}`") from None


def create(gateway: Gateway, gpt_id: str, given: Json, *, as_json: bool) -> None:
    """Make a GPT and print it. Raises: Failure: it is refused, or nothing answers."""
    answer = gateway.call("POST", PATH, body={"gpt_id": gpt_id, **given})
    _show(settled(gateway, answer), as_json=as_json)


def change(
    gateway: Gateway,
    method: str,
    gpt_id: str,
    verb: str = "",
    *,
    body: Json | None = None,
    as_json: bool,
) -> None:
    """Change a GPT and print it. Raises: Failure: it is refused, or nothing answers."""
    if body == {}:
        raise Failure("give at least one of --name, --max-objects and --max-bytes")
    answer = gateway.call(method, path(gpt_id) + verb, body=body)
    _show(settled(gateway, answer), as_json=as_json)


def delete(gateway: Gateway, gpt_id: str, *, ask: bool, as_json: bool) -> None:
    """Delete a GPT and print it. Raises: Failure: it is refused, or nothing answers."""
    found = gateway.call("GET", path(gpt_id))
    if ask:
        what = f"{gpt_id} ({found['name']}) with its documents and {found['object_count']} objects"
        typer.confirm(f"delete {what}, for good?", abort=True, err=True)
    change(gateway, "DELETE", gpt_id, as_json=as_json)


def settled(gateway: Gateway, answer: Json) -> Json:
    """Returns: the changed row, waited for where the answer came before it.

    Raises:
        Failure: the change is refused after all, or nothing answers.
    """
    if "status" not in answer:
        return answer
    return result(gateway, answer)


def result(gateway: Gateway, state: Json) -> Json:
    """Returns: the row that a request has changed, once it is final. Raises: Failure: it failed."""
    final = gateway.followed(state)
    if final["status"] != Status.COMPLETED:
        problem: Any = final.get("problem") or {}
        raise Failure(f"the request {final['status']}: {problem.get('detail', 'no reason given')}")
    row: Json = final["result"].get("gpt") or final["result"]["key"]
    return row


def pages(gateway: Gateway, of: str) -> Iterator[Json]:
    """Yield all items of a list. Raises: Failure: nothing answers."""
    query: Json = {"limit": _PAGE}
    while True:
        page = gateway.call("GET", of, query=query)
        yield from page["items"]
        if not page["has_more"]:
            return
        query["cursor"] = page["next_cursor"]


def show_list(gateway: Gateway, *, as_json: bool) -> None:
    """Print all GPTs. Raises: Failure: nothing answers."""
    items = list(pages(gateway, PATH))
    if as_json:
        print_json(items)
        return
    table = Table("GPT", "name", "made", box=None, header_style="bold")
    table.add_column("objects", justify="right")
    table.add_column("bytes", justify="right")
    table.add_column("")
    for item in items:
        state = Text("disabled", style="red") if item["disabled_at"] else Text("")
        table.add_row(
            item["gpt_id"], Text(item["name"]), day(item["created_at"]), *used(item), state
        )
    console().print(table)


def used(item: Json) -> tuple[str, str]:
    """Returns: objects and bytes of a GPT, each with its own limit if it has one."""
    pairs = (("object_count", "max_objects"), ("byte_count", "max_bytes"))
    counts, limits = zip(*((item[count], item[limit]) for count, limit in pairs), strict=True)
    shown = [
        f"{count:,}" if limit is None else f"{count:,} of {limit:,}"
        for count, limit in zip(counts, limits, strict=True)
    ]
    return shown[0], shown[1]


def show_one(gateway: Gateway, gpt_id: str, *, as_json: bool) -> None:
    """Print a GPT. Raises: Failure: there is none, or nothing answers."""
    _show(gateway.call("GET", path(gpt_id)), as_json=as_json)


def _show(item: Json, *, as_json: bool) -> None:
    if as_json:
        print_json(item)
        return
    objects, size = used(item)
    facts(
        {
            "GPT": item["gpt_id"],
            "name": item["name"],
            "objects": objects,
            "bytes": size,
            "made": moment(item["created_at"]),
            "disabled": moment(item["disabled_at"]),
            "deleted": moment(item["deleted_at"]),
        }
    )


def facts(lines: Json) -> None:
    """Print names and values, those without a value left out."""
    grid = Table.grid(padding=(0, 2))
    for name, value in lines.items():
        if value is not None:
            grid.add_row(Text(name, style="bold"), Text(str(value)))
    console().print(grid)


def moment(text: str | None) -> str | None:
    """Returns: a time as it is shown, to the second; UTC."""
    return None if text is None else text[:19].replace("T", " ")


def day(text: str) -> str:
    """Returns: the day of a time."""
    return text[:10]
