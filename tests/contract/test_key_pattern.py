"""What secret scanners are told to look for finds keys, all of them and whole."""

import re
from pathlib import Path

import pytest

from schemas.keys import mint, parse

_ROOT = Path(__file__).parents[2]
_TOLD = re.compile(r"^(as_\[.+\})$|`(as_\[.+?\})`", re.MULTILINE)


@pytest.mark.parametrize("page", ["SECURITY.md", "docs/how-to/tenants-and-keys.md"])
@pytest.mark.parametrize("env", ["qa", "live", "production"])
def test_the_pattern_for_scanners_finds_every_key(page: str, env: str) -> None:
    """In the midst of other text, with every length of label; a key that is cut off is none."""
    [groups] = _TOLD.findall((_ROOT / page).read_text(encoding="utf-8"))
    pattern = re.compile("".join(groups))
    for _ in range(20):
        key = mint(env)
        [found] = pattern.findall(f'API_KEY="{key}" # not as_live_x')
        assert parse(found) == key
        assert pattern.search(str(key)[:-1]) is None
