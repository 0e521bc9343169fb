"""Making, ending and showing keys. A new key alone goes to stdout, what is said of it to stderr."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import typer
from rich.table import Table
from rich.text import Text

from cli import gpts
from cli.client import Gateway, Json
from cli.errors import Failure
from cli.terminal import console, print_json

_SPAN: Final = re.compile(r"(\d{1,5})([smhd])", re.ASCII)
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def ahead(text: str | None) -> str | None:
    """Returns: the time that a text says, `90d` from now or a date; without a zone it is UTC.

    Raises:
        Failure: it cannot be understood.
    """
    if text is None:
        return None
    if _SPAN.fullmatch(text):
        return (datetime.now(UTC) + timedelta(seconds=seconds(text))).isoformat()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Failure(f"{text} is no time; give one such as 2027-11-21, or 90d") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()


def seconds(text: str) -> int:
    """Returns: the seconds that a text such as `30m` says. Raises: Failure: it says none."""
    if text == "0":
        return 0
    found = _SPAN.fullmatch(text)
    if found is None:
        raise Failure(f"{text} is no span of time; give one such as 30m, 12h or 7d, or 0")
    return int(timedelta(**{_UNITS[found[2]]: int(found[1])}).total_seconds())


def create(gateway: Gateway, gpt_id: str, given: Json, *, as_json: bool) -> None:
    """Make a key and print it. Raises: Failure: it is refused, or nothing answers."""
    body = {name: value for name, value in given.items() if value is not None}
    _issue(gateway, f"{gpts.path(gpt_id)}/keys", body, as_json=as_json)


def rotate(gateway: Gateway, gpt_id: str, key_id: str, given: Json, *, as_json: bool) -> None:
    """Make a key in another one's place and print it. Raises: Failure: as `create`."""
    body = {name: value for name, value in given.items() if value is not None}
    _issue(gateway, f"{_path(gpt_id, key_id)}/rotate", body, as_json=as_json)


def _path(gpt_id: str, key_id: str) -> str:
    return f"{gpts.path(gpt_id)}/keys/{gpts.quoted(key_id)}"


def _issue(gateway: Gateway, path: str, body: Json, *, as_json: bool) -> None:
    made = gateway.call("POST", path, body=body)
    if made["pending"]:
        state = gateway.state(made["status_url"])
        stored = gpts.result(gateway, state)
        # Another one is that of a first call whose answer was lost.
        text = made["key"] if stored["key_id"] == made["key_id"] else None
        made = {**made, **stored, "key": text, "pending": False}
    if made["key"] is None:
        raise Failure(
            f"the key {made['key_id']} was made, but its text was lost on the way and is kept "
            f"nowhere: replace it by `actionstream keys rotate {made['gpt_id']} {made['key_id']} "
            "--overlap 0`"
        )
    if as_json:
        print_json(made)
        return
    note = f"the key {made['key_id']} opens {made['gpt_id']} ({', '.join(made['scopes'])})"
    until = f", until {gpts.moment(made['expires_at'])} UTC" if made["expires_at"] else ""
    print_once(f"{note}{until}", made["key"])


def print_once(note: str, key: str) -> None:
    """Print a new key to stdout, and what is said of it to stderr."""
    console(stderr=True).print(f"{note}; keep it now, it is shown this once:", soft_wrap=True)
    print(key, flush=True)


def revoke(gateway: Gateway, gpt_id: str, key_id: str, *, ask: bool, as_json: bool) -> None:
    """End a key and print it. Raises: Failure: it is refused, or nothing answers."""
    if ask:
        typer.confirm(f"revoke the key {key_id} of {gpt_id}, for good?", abort=True, err=True)
    ended = gpts.settled(gateway, gateway.call("DELETE", _path(gpt_id, key_id)))
    if as_json:
        print_json(ended)
        return
    lines = ("key_id", "gpt_id", "name", "scopes", "revoked_at")
    gpts.facts({name.removesuffix("_id"): _plain(ended[name]) for name in lines})


def _plain(value: str | list[str]) -> str:
    return value if isinstance(value, str) else ", ".join(value)


def show_list(gateway: Gateway, gpt_id: str, *, as_json: bool) -> None:
    """Print all keys of a GPT. Raises: Failure: there is no such GPT, or nothing answers."""
    items = list(gpts.pages(gateway, f"{gpts.path(gpt_id)}/keys"))
    if as_json:
        print_json(items)
        return
    table = Table("key", "name", "scopes", "subject", "made", box=None, header_style="bold")
    table.add_column("last used (UTC)")
    table.add_column("state")
    for item in items:
        table.add_row(
            item["key_id"],
            Text(item["name"]),
            " ".join(item["scopes"]),
            Text(item["subject"] or ""),
            gpts.day(item["created_at"]),
            (gpts.moment(item["last_used_at"]) or "")[:16],
            _state(item),
        )
    console().print(table)


def _state(item: Json) -> Text:
    if item["revoked_at"]:
        return Text(f"revoked {gpts.day(item['revoked_at'])}", style="red")
    until = item["expires_at"]
    ended = until is not None and datetime.fromisoformat(until) <= datetime.now(UTC)
    said = "" if until is None else f"{'ended' if ended else 'until'} {gpts.moment(until)}"
    if item["replaced_by"]:
        said += f", replaced by {item['replaced_by']}"
    return Text(said, style="dim" if ended else "")
