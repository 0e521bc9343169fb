"""A completion keeps to the context, stops where it is told, and counts what it did."""

from typing import Any

import pytest

from local.models.completion import complete
from local.models.prompt import Prompt
from local.models.refusal import Refused
from local.models.requests import CompletionBody, Message, Options
from local.models.tokens import Piece

DOCUMENT = " ".join(["word"] * 50)
ASKED = [
    Message(role="system", content="Be brief."),
    Message(role="user", content=f'TASK: x\n<document id="n">\n{DOCUMENT}\n</document id="n">'),
]


class Echo:
    """Answers with a fixed text, and remembers what it was asked."""

    def __init__(self, text: str = "one two three") -> None:
        self.text = text
        self.asked: list[Prompt] = []

    def answer(self, asked: Prompt, wanted: str | dict[str, Any] | None) -> list[Piece]:
        """Return the text."""
        self.asked.append(asked)
        return [Piece(self.text, -1.0)]


def body(**options: object) -> CompletionBody:
    """Return a body with these options."""
    return CompletionBody(options=Options.model_validate(options))


def test_an_answer_that_ends_by_itself() -> None:
    """All tokens, their log probabilities, and counters that add up."""
    done = complete(Echo(), ASKED, CompletionBody(), 1000)
    assert (done.content, done.done_reason) == ("one two three", "stop")
    assert [token.logprob for token in done.tokens] == [-1.0] * 3
    assert done.prompt_tokens > 50
    assert done.prompt_ns > 0
    assert done.answer_ns > 0


@pytest.mark.parametrize("most", [0, -1, 3, 100])
def test_a_limit_that_is_not_reached_changes_nothing(most: int) -> None:
    """Zero and less mean no limit."""
    done = complete(Echo(), ASKED, body(num_predict=most), 1000)
    assert (len(done.tokens), done.done_reason) == (3, "stop")


def test_num_predict_cuts_the_answer() -> None:
    """The caller learns that it was cut."""
    done = complete(Echo(), ASKED, body(num_predict=2), 1000)
    assert (done.content, done.done_reason) == ("one two", "length")


def test_a_stop_word_ends_the_answer_before_it() -> None:
    """Also in the middle of a token."""
    done = complete(Echo(), ASKED, body(stop=["hree", ""]), 1000)
    assert (done.content, done.done_reason) == ("one two t", "stop")


def test_input_beyond_the_context_is_refused_when_asked() -> None:
    """Nothing is left out in silence for a caller that says `truncate: false`."""
    strict = CompletionBody(truncate=False, options=Options(num_ctx=20))
    with pytest.raises(Refused, match="the input length exceeds the context length") as refusal:
        complete(Echo(), ASKED, strict, 1000)
    assert refusal.value.status == 400


def test_input_beyond_the_context_is_cut_otherwise() -> None:
    """The document loses its end, and the counter says how much was read."""
    echo = Echo()
    done = complete(echo, ASKED, body(num_ctx=20), 1000)
    assert done.prompt_tokens == 20
    assert DOCUMENT.startswith(echo.asked[0].documents[0])
    assert len(echo.asked[0].documents[0]) < len(DOCUMENT)


def test_num_ctx_cannot_exceed_the_model() -> None:
    """A larger wish is held to what the model has."""
    with pytest.raises(Refused):
        complete(Echo(), ASKED, CompletionBody(truncate=False, options=Options(num_ctx=99)), 20)
