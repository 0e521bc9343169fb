"""The expected wait: from what waits and how fast it goes, and unknown where nothing is known."""

from datetime import UTC, datetime, timedelta

import pytest
from confluent_kafka import KafkaError, KafkaException

from gateway.admission import Admission
from gateway.backlog import UNKNOWN, Backlog, Estimate, estimated
from gateway.errors import Busy, Overloaded, Unavailable
from gateway.queries.backlog import MOST_FINISHED, Progress
from gateway.settings import GatewaySettings

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def at(seconds_ago: float) -> datetime:
    """Returns: a moment before now."""
    return NOW - timedelta(seconds=seconds_ago)


def progress(
    *finished: tuple[float, float], unfinished: int = 0, oldest: float | None = None
) -> Progress:
    """Returns: how the runs stand; beginnings and ends are seconds ago, the newest end first."""
    ended = tuple((at(start), at(end)) for start, end in finished)
    return Progress(NOW, unfinished, None if oldest is None else at(oldest), ended)


def test_of_an_empty_system_nothing_is_known() -> None:
    """Nothing has ever been worked off, nothing waits."""
    assert estimated(progress(), 0) == Estimate(0, None, None)


def test_without_a_backlog_it_takes_as_long_as_it_took() -> None:
    """The typical time is the median of the last runs, however long ago they were."""
    idle = progress((9002, 9000), (9104, 9100), (9390, 9300))
    assert estimated(idle, 0) == Estimate(0, None, 4.0)


def test_what_waits_is_divided_by_the_rate() -> None:
    """Thirty runs in the last minute, all busy: with 60 records and 6 runs waiting, 132 s."""
    runs = [(end + 4.0, end) for end in range(0, 60, 2)]
    found = estimated(progress(*runs, unfinished=6, oldest=70), 60)
    assert found == Estimate(66, 30.0, 132.0)


def test_only_time_with_work_counts_for_the_rate() -> None:
    """One document a minute that takes 3 s says that 20 a minute could be finished."""
    found = estimated(progress((33, 30), unfinished=1, oldest=1), 1)
    assert found.per_minute == pytest.approx(15.0)
    assert found.expected_wait_s == pytest.approx(8.0)


def test_it_is_never_below_the_typical_time() -> None:
    """A single document in a fast crowd still takes as long as each of them took."""
    runs = [(end + 10.0, end) for end in range(60)]
    assert estimated(progress(*runs, unfinished=2, oldest=3), 0).expected_wait_s == 10.0


def test_documents_that_take_long_are_looked_at_for_longer() -> None:
    """Where one takes two minutes, the last minute without an end says nothing."""
    found = estimated(progress((210, 90), (330, 210), unfinished=3, oldest=90), 0)
    assert found == Estimate(3, 0.4, 495.0)


def test_the_last_runs_suffice_where_many_end() -> None:
    """What was not read is not taken for time in which nothing ended."""
    runs = [(number / 100 + 1, number / 100) for number in range(MOST_FINISHED)]
    found = estimated(progress(*runs, unfinished=10, oldest=1), 990)
    assert found.per_minute == pytest.approx(100 * 60, rel=0.02)


def test_a_standstill_is_at_least_as_long_as_it_lasts() -> None:
    """Nothing has ended for five minutes while something waits."""
    assert estimated(progress((304, 300), unfinished=1, oldest=290), 5).expected_wait_s == 290.0
    assert estimated(progress(unfinished=1, oldest=290), 0).expected_wait_s == 290.0


def test_a_run_that_was_sent_again_has_not_waited_since_its_beginning() -> None:
    """A redriven run of last week does not make the wait a week."""
    week = 7 * 86400.0
    assert estimated(progress((90, 80), unfinished=1, oldest=week), 0).expected_wait_s == 80.0


class FakeLag:
    """Says what the test says, or raises it."""

    def __init__(self, answer: int | Exception) -> None:
        self.answer = answer

    def read(self) -> int:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class FakeRuns:
    """Says what the test says, or raises it."""

    def __init__(self, answer: Progress | Exception) -> None:
        self.answer = answer

    async def __call__(self) -> Progress:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


async def test_records_that_nobody_takes_up_make_the_wait_grow() -> None:
    """Without a worker there is no row; the gateway itself remembers since when they wait."""
    backlog = Backlog(FakeLag(3), FakeRuns(progress()))
    await backlog.refresh()
    backlog._stalled_at = (backlog._stalled_at or 0.0) - 40
    await backlog.refresh()
    assert backlog.estimate.waiting == 3
    assert (backlog.estimate.expected_wait_s or 0.0) >= 40


@pytest.mark.parametrize(
    ("lag", "runs"),
    [
        (FakeLag(KafkaException(KafkaError(KafkaError._TRANSPORT))), FakeRuns(progress())),
        (FakeLag(0), FakeRuns(Unavailable("away"))),
    ],
)
async def test_an_estimate_outlives_a_server_for_a_while(lag: FakeLag, runs: FakeRuns) -> None:
    """While Kafka or Postgres is away the last one stays, and then it is unknown."""
    backlog = Backlog(lag, runs)
    assert backlog.estimate == UNKNOWN
    good = Backlog(FakeLag(0), FakeRuns(progress((4, 2))))
    await good.refresh()
    known = good.estimate
    good._lag, good._runs = lag, runs
    await good.refresh()
    assert good.estimate == known != UNKNOWN
    good._at -= 60
    assert good.estimate == UNKNOWN


def admission(
    settings: GatewaySettings, expected_wait_s: float | None, **changes: object
) -> Admission:
    """Returns: the policy of a gateway that expects so long a wait."""
    backlog = Backlog(FakeLag(0), FakeRuns(progress()))
    backlog._estimate, backlog._at = Estimate(9, 1.0, expected_wait_s), float("inf")
    return Admission(settings.model_copy(update=changes), backlog)


@pytest.mark.parametrize("expected", [None, 0.5, 60.0])
def test_work_is_let_in_up_to_the_limit(nowhere: GatewaySettings, expected: float | None) -> None:
    """An unknown wait is let in too, and without a limit any."""
    limited = admission(nowhere, expected, max_expected_wait=timedelta(seconds=60))
    limited.document_work()
    admission(nowhere, 1e9).document_work()


@pytest.mark.parametrize(("expected", "after"), [(61, 5), (90, 30), (1e6, 120)])
def test_work_above_the_limit_is_refused(
    nowhere: GatewaySettings, expected: float, after: int
) -> None:
    """The refusal says the expected wait, and when to ask again, within bounds."""
    limited = admission(nowhere, expected, max_expected_wait=timedelta(seconds=60))
    with pytest.raises(Overloaded) as refused:
        limited.document_work()
    problem = refused.value.problem()
    assert (problem.status, problem.code, problem.expected_wait_s) == (503, "overloaded", expected)
    assert problem.retry_after_s == after
    assert refused.value.headers["Retry-After"] == str(after)


def test_so_many_uploads_at_once(nowhere: GatewaySettings) -> None:
    """One more is refused; whoever ends, well or not, makes room."""
    places = admission(nowhere, None, max_uploads=1)
    with places.upload(), pytest.raises(Busy), places.upload():
        pass
    with pytest.raises(ValueError, match="bad"), places.upload():
        raise ValueError("bad")
    with places.upload():
        pass


def test_one_call_a_minute_finds_out_whether_work_is_done(nowhere: GatewaySettings) -> None:
    """Where nothing was finished of late, one stuck document must not keep all others out."""
    backlog = Backlog(FakeLag(0), FakeRuns(progress()))
    backlog._estimate, backlog._at = Estimate(1, None, 900.0), float("inf")
    now = [0.0]
    limited = Admission(
        nowhere.model_copy(update={"max_expected_wait": timedelta(seconds=60)}),
        backlog,
        clock=lambda: now[0],
    )
    limited.document_work()
    with pytest.raises(Overloaded):
        limited.document_work()
    now[0] = 61
    limited.document_work()
