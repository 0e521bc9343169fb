"""The environment file of a run: secrets made once, addresses of this start; mode 0600.

The command line, the tests and a shell (`source .actionstream/env`) read it.
"""

import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from schemas import keys

FILE = "env"
_LINE = re.compile(r"^export (ACTIONSTREAM_[A-Z0-9_]+)='([^']*)'$")
KEY_ENV = "local"
#: Made at the first start and kept; what each is for stands in `.env.example`.
KEYS = ("ACTIONSTREAM_API_KEY", "ACTIONSTREAM_ADMIN_KEY")
SECRETS = (
    "ACTIONSTREAM_ID_SECRET",
    "ACTIONSTREAM_KEY_PEPPER",
    "ACTIONSTREAM_WEBHOOK_KEY",
    "ACTIONSTREAM_S3_ACCESS_KEY",
    "ACTIONSTREAM_S3_SECRET_KEY",
    "ACTIONSTREAM_ADMIN_PASSWORD",
    "ACTIONSTREAM_STREAMS_PASSWORD",
    "ACTIONSTREAM_GATEWAY_PASSWORD",
)
_SECRET_BYTES = 24


def read(state: Path) -> dict[str, str]:
    """Returns: the variables of the file, empty if there is none."""
    try:
        text = (state / FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    lines = (_LINE.match(line) for line in text.splitlines())
    return {found[1]: found[2] for found in lines if found}


def keep(state: Path) -> dict[str, str]:
    """Returns: keys and secrets of `state`, those that it lacks newly made (192 bits or more).

    A key of another form, which older releases made, is replaced.
    """
    kept = read(state)
    return {
        **{name: _key(kept.get(name, "")) for name in KEYS},
        **{name: kept.get(name) or secrets.token_hex(_SECRET_BYTES) for name in SECRETS},
    }


def _key(kept: str) -> str:
    try:
        return str(keys.parse(kept))
    except keys.NotAKey:
        return str(keys.mint(KEY_ENV))


def write(state: Path, variables: Mapping[str, str]) -> Path:
    """Replace the file in one step, readable by its owner only.

    Returns: its path.
    """
    path = state / FILE
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write("# Made by the local run; secrets are kept, addresses are of the last start.\n")
        out.writelines(f"export {name}='{value}'\n" for name, value in variables.items())
    new.replace(path)
    return path
