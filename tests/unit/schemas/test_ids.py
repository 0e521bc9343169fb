"""Signed ids: taken as they were handed out, and in no other form."""

import pytest

from schemas.ids import REQUEST, Ids

IDS = Ids("a secret of sixteen")
MINTED = IDS.derive(REQUEST, "diary", "one")


def test_an_id_is_its_tenants() -> None:
    """And of its kind."""
    assert IDS.verify(MINTED, REQUEST, "diary")
    assert not IDS.verify(MINTED, REQUEST, "habits")
    assert not IDS.verify(MINTED, "obj", "diary")


@pytest.mark.parametrize("text", [f"{MINTED}\n", f" {MINTED}", MINTED.upper(), MINTED[:-1], ""])
def test_an_id_in_another_form_is_none(text: str) -> None:
    """A line's end at its end too."""
    assert not IDS.verify(text, REQUEST, "diary")
