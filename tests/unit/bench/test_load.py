"""The load generator's own sums, and the requests that it is given."""

import re
import time

import pytest

from bench.anatomy import split
from bench.load import MARK, Answer, Plan, Run
from bench.operations import Known, http, of_product
from bench.recorded import script

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\n"


def _run(*requests: str, clients: int = 1, seconds: float = 2.0) -> Run:
    run = Run.of(Plan([1], requests, 200, clients, seconds))
    run.measured_from, run.until = 0.0, float("inf")
    return run


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_an_answer_is_whole_however_it_is_cut(size: int) -> None:
    """Pieces of any size make the same answer."""
    data, answer = _HEAD + b"hello", Answer()
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    assert [answer.feed(piece) for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    assert answer.status == 200
    assert not answer.closes


def test_an_answer_without_a_body_ends_with_its_head() -> None:
    """A 204 bears no length, and its connection may end with it."""
    answer = Answer()
    assert answer.feed(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
    assert answer.closes


@pytest.mark.parametrize("data", [b"HTTP/1.1 200 OK\r\n\r\n", _HEAD + b"hello, and more"])
def test_an_answer_of_another_form_is_an_error(data: bytes) -> None:
    """What cannot be told apart from the next answer must not be counted."""
    with pytest.raises(ValueError, match="an answer"):
        Answer().feed(data)


def test_rates_and_percentiles_are_of_what_ended_in_time() -> None:
    """A hundred answers in two seconds are fifty a second; a percentile is one of them."""
    run = _run("GET / HTTP/1.1\r\n\r\n")
    run.latencies = [float(number) for number in range(1, 101)]
    figures = run.figures(cpu_s=0.5, wall_s=2.0)
    assert (figures.requests, figures.per_s, figures.client_cpu) == (100, 50.0, 0.25)
    assert (figures.p50, figures.p95, figures.p99) == (51.0, 95.0, 99.0)


def test_answers_outside_the_time_are_not_counted() -> None:
    """Neither the warm-up's nor those that are waited for at the end."""
    run, answer = _run("x"), Answer(status=200)
    run.measured_from, run.until = time.perf_counter() + 1000, time.perf_counter() + 2000
    assert not run.ended(time.perf_counter(), answer)
    run.measured_from, run.until = 0.0, 0.0
    assert not run.ended(time.perf_counter(), answer)
    assert (run.latencies, run.errors) == ([], 0)


def test_another_status_is_an_error_and_a_please_retry_is_not() -> None:
    """An error is counted with its text; what is to be sent again is counted apart."""
    run = Run.of(Plan([1], ["x"], 201, 1, 1.0, again=409))
    assert run.ended(0.0, Answer(status=409))
    assert not run.ended(0.0, Answer(status=500))
    assert (run.repeats, run.errors) == (1, 1)


def test_each_request_is_sent_as_often_as_the_others_with_numbers_of_their_own() -> None:
    """All of them come before one comes again, and no marked one is sent twice."""
    run = _run(*(f"{each} {MARK} end" for each in "abc"))
    sent = [run.request().decode() for _ in range(6)]
    assert sorted(text[0] for text in sent[:3]) == ["a", "b", "c"]
    assert len(set(sent)) == 6
    assert all(re.fullmatch(r"[abc] \d{8} end", text) for text in sent)


def test_a_request_says_the_length_that_it_has_with_its_number() -> None:
    """The number is as long as the mark that it stands for."""
    asked = of_product("key", "demo", "diary", Known(["obj_1"], ["c"]))
    for operation in asked.values():
        for text in operation.requests:
            head, _, body = _run(text).request().partition(b"\r\n\r\n")
            found = re.search(rb"Content-Length: (\d+)", head)
            assert (int(found[1]) if found else 0) == len(body)


def test_a_request_without_a_body_bears_no_type() -> None:
    """A GET is a head alone."""
    assert http("GET", "/a", {"X": "y"}) == "GET /a HTTP/1.1\r\nHost: 127.0.0.1\r\nX: y\r\n\r\n"


def test_the_parts_of_a_write_make_its_whole_time() -> None:
    """Kafka's whole milliseconds get half of one more; nothing is lost between the parts."""
    parts = split(10.000, 10.002, (10.004, 10.010), 10.012, 10.020)
    assert parts == pytest.approx([2.5, 1.5, 6.0, 2.5, 7.5])
    assert sum(parts) == pytest.approx(20.0)


def test_a_transaction_gets_new_ids_but_for_known_objects() -> None:
    """Postgres puts random ids into the texts; an object that is there is another known one."""
    one, other = (f"obj_{letter * 32}_{'a' * 16}" for letter in "ab")
    new = "gen_random_uuid()::text"
    made = script([f"SELECT '{{{one},{other}}}'::text[], 'it''s';\n"])
    assert made == (
        f"BEGIN;\nSELECT ('{{' || {new} || ',' || {new} || '}}')::text[], 'it''s';\nCOMMIT;\n"
    )
    assert (
        script([f"SELECT E'\\\\{one}';"]) == f"BEGIN;\nSELECT (E'\\\\' || {new} || E'');COMMIT;\n"
    )
    known = script([f"SELECT '{one}';\n"], {one: other})
    assert known == f"BEGIN;\nSELECT '{other}';\nCOMMIT;\n"
