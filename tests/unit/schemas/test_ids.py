"""Signed ids: taken as they were handed out, and in no other form."""

from datetime import UTC, datetime, timedelta

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


def test_a_minted_id_tells_when_it_was_made() -> None:
    """To the millisecond; a derived one has no time."""
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    minted_at = IDS.minted_at(IDS.mint(REQUEST, "diary"))
    assert minted_at is not None
    assert before <= minted_at <= datetime.now(UTC)
    assert IDS.minted_at(MINTED) is None


def test_an_id_may_be_an_end_users_own() -> None:
    """It is still its tenant's, and the same parts still give one id; nobody else's is it."""
    minted = IDS.mint(REQUEST, "diary", subject="ada")
    derived = IDS.derive(REQUEST, "diary", "one", subject="ada")
    for each in (minted, derived):
        assert IDS.verify(each, REQUEST, "diary")
        assert IDS.is_of(each, "ada")
        assert not IDS.is_of(each, "bob")
    assert derived == IDS.derive(REQUEST, "diary", "one", subject="ada")
    assert IDS.minted_at(minted) is not None
    assert not any(IDS.is_of(each, "ada") for each in (MINTED, IDS.mint(REQUEST, "diary"), ""))
