"""Token probabilities on values."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.extraction.tokens import leaves, scores


def _tokens(*pieces: tuple[str, float]) -> list[dict[str, object]]:
    return [{"token": token, "logprob": logprob} for token, logprob in pieces]


def test_a_value_is_scored_by_its_own_tokens() -> None:
    """Braces, names and quotes do not count; the score is exp of the mean."""
    logprobs = _tokens(
        ('{"total', -9.0),
        ('": "', -9.0),
        ("12", -0.1),
        (".50", -0.3),
        ('", "x": ', -9.0),
        ("null", -0.5),
        ("}", 0),
    )
    content = "".join(str(item["token"]) for item in logprobs)
    found = scores(content, logprobs)
    assert found == {
        ("total",): pytest.approx(math.exp(-0.2)),
        ("x",): pytest.approx(math.exp(-0.5)),
    }


def test_a_token_that_holds_a_quote_and_a_value_counts() -> None:
    """Tokenizers do not respect quotes."""
    assert scores('{"a":"b"}', _tokens(('{"a":', -1.0), ('"b"', -0.4), ("}", -1.0))) == {
        ("a",): pytest.approx(math.exp(-0.4))
    }


def test_rows_have_paths() -> None:
    """Each cell of a table and entry of a list has a score of its own."""
    content = '{"lines": [{"a": "x"}, {"a": null}], "skills": ["p", "q"]}'
    found = scores(content, [{"token": one, "logprob": -0.2} for one in content])
    assert set(found) == {("lines", 0, "a"), ("lines", 1, "a"), ("skills", 0), ("skills", 1)}
    assert found[("lines", 1, "a")] == pytest.approx(math.exp(-0.2))


def test_escapes_and_characters_split_over_tokens() -> None:
    """Tokens may hold parts of a character; Ollama then gives their bytes."""
    content = '{"a": "\u00fc\\n\\"z"}'
    body = content.encode()
    logprobs = [
        {"token": "\ufffd", "bytes": [byte], "logprob": -0.3 if 7 <= at < 14 else -5.0}
        for at, byte in enumerate(body)
    ]
    assert scores(content, logprobs) == {("a",): pytest.approx(math.exp(-0.3))}


@pytest.mark.parametrize(
    "logprobs",
    [
        None,
        [],
        _tokens(("something else", -1.0)),
        [{"token": 5, "logprob": -1.0}],
        [{"token": '{"a": "b"}'}],
    ],
)
def test_without_probabilities_the_score_is_unavailable(
    logprobs: list[dict[str, object]] | None,
) -> None:
    """None, strange and foreign ones are no evidence."""
    assert scores('{"a": "b"}', logprobs) == {("a",): "unavailable"}


def test_an_empty_text_has_no_tokens() -> None:
    """An empty value says nothing about itself."""
    content = '{"a": ""}'
    assert scores(content, [{"token": one, "logprob": -0.2} for one in content]) == {
        ("a",): "unavailable"
    }


def test_infinite_probabilities_are_left_out_and_positive_ones_held() -> None:
    """No score is above 1, and a sentinel does not sink a value."""
    found = scores(
        '{"a":"bc"}', _tokens(('{"a":"', 0), ("b", float("-inf")), ("c", 0.1), ('"}', 0))
    )
    assert found == {("a",): 1.0}


@pytest.mark.parametrize(
    "content", ["", "no json", '{"a": "b', '{"a"', "[" * 100, '{"a": [1, {"b":', '{"a":}', "{]"]
)
def test_broken_json_is_read_as_far_as_it_goes(content: str) -> None:
    """A cut answer still tells where its values stand."""
    assert all(0 <= leaf.start <= leaf.end <= len(content) for leaf in leaves(content).values())


_NAMES = st.text(min_size=1, max_size=5)
_LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=8)


@given(
    st.dictionaries(
        _NAMES,
        _LEAVES | st.lists(_LEAVES, max_size=3) | st.dictionaries(_NAMES, _LEAVES, max_size=3),
    ),
    st.booleans(),
)
def test_every_leaf_is_found_where_it_stands(answer: dict[str, object], ascii_only: bool) -> None:  # noqa: FBT001
    """The span of each text, put between quotes, decodes to the text."""
    content = json.dumps(answer, ensure_ascii=ascii_only, indent=1)
    spans = leaves(content)
    for name, value in answer.items():
        if isinstance(value, str) and name.isalnum():
            leaf = spans[(name,)]
            assert json.loads(f'"{content[leaf.start : leaf.end]}"') == value
