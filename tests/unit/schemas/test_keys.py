"""API keys: a mistyped one is known by itself, and nothing that shows a key shows its secret."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import keys
from schemas.keys import NotAKey, mint, parse

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
PUBLISHED = "as_live_0123456789ABCDEF_abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG_0ShDim"
"""A key as it was made once: what is in use must stay readable."""


@given(env=st.from_regex(r"\A[a-z]{2,10}\Z"))
def test_a_key_is_read_as_it_was_made(env: str) -> None:
    """Of letters and digits, in one line, the same from its text."""
    key = mint(env)
    assert parse(str(key)) == key
    assert re.fullmatch(r"as_[a-z]+_\w{16}_\w{43}_\w{6}", str(key), re.ASCII)


def test_a_key_of_before_is_read() -> None:
    """The form and the checksum are those of the keys that people have."""
    key = parse(PUBLISHED)
    assert str(key) == PUBLISHED
    assert (key.env, key.key_id) == ("live", "0123456789ABCDEF")


@given(place=st.integers(0, 75), letter=st.sampled_from(ALPHABET))
def test_one_wrong_letter_is_noticed(place: int, letter: str) -> None:
    """Wherever it is: by the form, or by the checksum alone."""
    text = str(mint("live"))
    place %= len(text)
    mistyped = text[:place] + letter + text[place + 1 :]
    if mistyped == text:
        assert str(parse(mistyped)) == text
    else:
        with pytest.raises(NotAKey):
            parse(mistyped)


@given(place=st.integers(8, 70))
def test_two_letters_the_wrong_way_round_are_noticed(place: int) -> None:
    """As whoever copies a key by hand would write them."""
    text = str(mint("live"))
    swapped = text[:place] + text[place + 1] + text[place] + text[place + 2 :]
    if swapped != text:
        with pytest.raises(NotAKey):
            parse(swapped)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "as_live",
        PUBLISHED[:-1],
        PUBLISHED + "x",
        PUBLISHED + "\n",
        " " + PUBLISHED,
        PUBLISHED.replace("as_live", "AS_LIVE"),
        PUBLISHED.replace("0123", "٠١٢٣"),
        PUBLISHED.replace("_0", "-0"),
    ],
)
def test_another_form_is_no_key(text: str) -> None:
    """Nothing around it, nothing left out, and no letter of another alphabet."""
    with pytest.raises(NotAKey):
        parse(text)


def test_a_wrong_checksum_says_so_without_the_secret() -> None:
    """Whoever mistyped it is told what is wrong, and a log that has it opens nothing."""
    with pytest.raises(NotAKey, match="checksum") as refused:
        parse(PUBLISHED[:-1] + "U")
    assert "abcdefghij" not in str(refused.value)
    assert "abcdefghij" not in repr(parse(PUBLISHED))


def test_the_hash_needs_id_secret_and_pepper() -> None:
    """Each of them changes it; a pepper before the present one is taken too."""
    key, pepper = mint("test"), "a pepper"
    kept = key.hashed(pepper)
    assert len(kept) == 32
    assert key.is_hashed_as(kept, "a new pepper", pepper)
    assert not key.is_hashed_as(kept, "a new pepper")
    assert not replace(key, secret=mint("test").secret).is_hashed_as(kept, pepper)
    assert not replace(key, key_id=mint("test").key_id).is_hashed_as(kept, pepper)


def test_no_two_keys_are_the_same() -> None:
    """Neither their ids nor their secrets."""
    made = [keys.mint("test") for _ in range(200)]
    assert len({one.key_id for one in made}) == len({one.secret for one in made}) == 200
