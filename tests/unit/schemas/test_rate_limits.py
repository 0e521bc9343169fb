"""The language of rate limits: what is read, and what an error names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from schemas.rate_limits import (
    DEFAULT,
    OF_KEYS,
    SCOPES,
    BadRateLimits,
    KeyRateLimits,
    Limit,
    parse,
)

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def test_the_default_says_what_it_should() -> None:
    """60 calls and 10 writes a minute for a key, 600 in five minutes for an address."""
    assert parse(DEFAULT) == {"key": Limit(60, 60), "write": Limit(10, 60), "ip": Limit(600, 300)}


@given(
    st.dictionaries(
        st.sampled_from(SCOPES),
        st.tuples(st.integers(1, 86_400), st.integers(1, 365), st.sampled_from("smhd")),
        min_size=1,
    )
)
def test_what_is_written_is_read(limits: dict[str, tuple[int, int, str]]) -> None:
    """Any scopes in any order, with any number of any unit, and blanks between."""
    text = " , ".join(f"{scope}: {n}/{p}{u}" for scope, (n, p, u) in limits.items())
    wanted = {scope: Limit(n, p * UNITS[u]) for scope, (n, p, u) in limits.items()}
    assert parse(text) == wanted


def test_none_switches_off() -> None:
    """All at once, or one scope; what is not named is not in there."""
    assert parse("none") == {"key": None, "write": None, "ip": None}
    assert parse("key:5/s,write:none", OF_KEYS) == {"key": Limit(5, 1), "write": None}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "must begin with one of key:, write:, ip:"),
        ("key:60/m,", "must begin with"),
        ("keys:60/m", "'keys:60/m'"),
        ("key:60/m,write", "'write'"),
        ("write:10", "'write:10'"),
        ("key:60/m,write:10/w", "'write:10/w'"),
        ("key:-1/m", "'key:-1/m'"),
        ("key:1.5/m", "'key:1.5/m'"),
        ("key:0/m", "count of 'key:0/m'"),
        ("key:9999999999/d", "count of 'key:9999999999/d'"),
        ("key:1/0s", "period of 'key:1/0s'"),
        ("key:1/400d", "period of 'key:1/400d'"),
        ("key:200000/s", "'key:200000/s' is more than"),
        ("key:1/m,key:2/m", "'key:2/m' is the second"),
        ("key:٣/m", "'key:٣/m'"),
    ],
)
def test_an_error_names_the_part(text: str, named: str) -> None:
    """Whoever mistypes one part of a long list is told which."""
    with pytest.raises(BadRateLimits) as caught:
        parse(text)
    assert named in str(caught.value)


@given(st.text(alphabet="keywritp:0123456789/smhd, none", max_size=40))
def test_no_text_breaks_it(text: str) -> None:
    """What cannot be read is an error of its own kind, never another one."""
    try:
        found = parse(text)
    except BadRateLimits:
        return
    assert set(found) <= set(SCOPES)


def test_a_key_cannot_limit_addresses() -> None:
    """Addresses are counted for calls without a key, so no key has a say in that."""
    adapter = TypeAdapter[str](KeyRateLimits)
    assert adapter.validate_python("key:60000/m,write:60000/m")
    with pytest.raises(ValidationError, match="'ip:1/s' must begin with one of key:, write:"):
        adapter.validate_python("ip:1/s")
