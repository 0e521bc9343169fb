"""Holding and returning: never early, in order, nothing lost, whoever dies and whatever is away."""

from threading import Event

import pytest
from confluent_kafka import KafkaError
from hypothesis import settings as profile
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from schemas.topics import DELAYS, Delay
from streams.delay.consumer import DelayConsumer
from streams.delay.lane import MOST_BYTES, MOST_RECORDS
from streams.settings import ConsumerSettings
from tests.fakes.kafka import FakeConsumer, FakeKafka, FakeProducer, Headers, Place, Returned

PREFIX = "mine-"
FIVE = (f"{PREFIX}retry-5s", 0)
TOO_LARGE = KafkaError(KafkaError.MSG_SIZE_TOO_LARGE)


def holder(kafka: FakeKafka) -> DelayConsumer:
    """A delay consumer of this Kafka, by this Kafka's clock."""
    settings = ConsumerSettings(_env_file=None, topic_prefix=PREFIX)
    return DelayConsumer(
        settings, consumer=kafka.consumer, producer=kafka.producer, now_ms=lambda: kafka.now_ms
    )


def headers(due_ms: int, target: bytes = b"parse-again") -> Headers:
    """What a stage puts on a record that is to come back."""
    return [("attempt", b"1"), ("not-before", str(due_ms).encode()), ("return-to", target)]


@pytest.fixture
def kafka() -> FakeKafka:
    """An empty log."""
    return FakeKafka()


def put(kafka: FakeKafka, body: bytes, in_ms: int, target: bytes = b"parse-again") -> None:
    """Append a record that is due in so many milliseconds."""
    kafka.write(FIVE, body, headers(kafka.now_ms + in_ms, target), kafka.now_ms)


def bodies(kafka: FakeKafka) -> list[bytes | None]:
    """What was returned, in its order."""
    return [one.value for one in kafka.returned]


def test_a_record_returns_when_it_is_due_and_not_before(kafka: FakeKafka) -> None:
    """A millisecond earlier it is held and nothing is committed; then it is back, and committed."""
    put(kafka, b"one", 5000)
    held = holder(kafka)

    kafka.now_ms += 4999
    held.step(0)
    assert kafka.returned == []
    kafka.now_ms += 1
    held.step(0)
    held.step(0)

    assert kafka.returned == [
        Returned(f"{PREFIX}parse-again", b"one", [("attempt", b"1")], kafka.now_ms)
    ]
    assert kafka.commits == {FIVE: 1}


def test_what_is_due_together_is_committed_together(kafka: FakeKafka) -> None:
    """Records due at once are sent in one go, in their order, and the one not due stays behind."""
    for number, in_ms in enumerate((10, 20, 30, 9000)):
        put(kafka, b"%d" % number, in_ms)
    held = holder(kafka)
    kafka.now_ms += 30
    held.step(0)
    held.step(0)

    assert bodies(kafka) == [b"0", b"1", b"2"]
    assert kafka.commits == {FIVE: 3}


def test_nothing_overtakes_a_record_that_is_held(kafka: FakeKafka) -> None:
    """The first in is the first out, although a clock that runs slow wrote an earlier time."""
    put(kafka, b"first", 5000)
    put(kafka, b"second", 4000)
    held = holder(kafka)
    kafka.now_ms += 4500
    held.step(0)
    assert kafka.returned == []
    kafka.now_ms += 500
    held.step(0)

    assert bodies(kafka) == [b"first", b"second"]


def test_a_record_of_no_stage_is_put_aside(kafka: FakeKafka) -> None:
    """It goes to the retry topic's dead letters with a reason, and those behind it go on."""
    put(kafka, b"stray", 0, target=b"results")
    put(kafka, b"good", 0)
    holder(kafka).step(0)

    assert [one.topic for one in kafka.returned] == [f"{FIVE[0]}-dlq", f"{PREFIX}parse-again"]
    assert dict(kafka.returned[0].headers)["error"] == b"unknown_return"


def test_a_refused_record_is_sent_until_it_is_taken(kafka: FakeKafka) -> None:
    """It keeps the offset where it is for as long as that takes, and is not sent without pause."""
    put(kafka, b"large", 0)
    held = holder(kafka)
    kafka.refusal = TOO_LARGE
    for _ in range(100):
        kafka.now_ms += 100
        held.step(0)
    assert kafka.commits == {}
    kafka.refusal = None
    held.step(0)
    kafka.now_ms += 1000
    held.step(0)
    held.step(0)

    assert bodies(kafka) == [b"large"]
    assert kafka.commits == {FIVE: 1}


def test_a_refused_record_does_not_stop_those_behind_it(kafka: FakeKafka) -> None:
    """They are sent once, and committed when it has arrived."""
    put(kafka, b"large", 0)
    held = holder(kafka)
    kafka.refusal = TOO_LARGE
    held.step(0)
    kafka.refusal = None
    put(kafka, b"small", 0)
    held.step(0)
    held.step(0)
    assert bodies(kafka) == [b"small"]
    assert kafka.commits == {}
    kafka.now_ms += 1000
    held.step(0)
    held.step(0)

    assert bodies(kafka) == [b"small", b"large"]
    assert kafka.commits == {FIVE: 2}


def test_a_producer_that_is_dead_is_replaced(kafka: FakeKafka) -> None:
    """A fatal error ends a producer for good; what it had not delivered is sent by the next."""
    made: list[FakeProducer] = []

    def producer(options: dict[str, object]) -> FakeProducer:
        made.append(kafka.producer(options))
        return made[-1]

    held = DelayConsumer(
        ConsumerSettings(_env_file=None, topic_prefix=PREFIX),
        consumer=kafka.consumer,
        producer=producer,
        now_ms=lambda: kafka.now_ms,
    )
    made[0].dead = KafkaError(KafkaError._FATAL, "out of order", fatal=True)
    put(kafka, b"one", 0)
    held.step(0)
    kafka.now_ms += 1000
    held.step(0)

    assert len(made) == 2
    assert bodies(kafka) == [b"one"]


@pytest.mark.parametrize(
    ("count", "size"), [(MOST_RECORDS + 50, 1), (8, MOST_BYTES // 4)], ids=["many", "large"]
)
def test_memory_is_bounded(kafka: FakeKafka, count: int, size: int) -> None:
    """A partition is paused at a bound, read on when there is room, and nothing is left out."""
    made: list[FakeConsumer] = []

    def consumer(options: dict[str, object]) -> FakeConsumer:
        made.append(kafka.consumer(options))
        return made[-1]

    held = DelayConsumer(
        ConsumerSettings(_env_file=None, topic_prefix=PREFIX),
        consumer=consumer,
        producer=kafka.producer,
        now_ms=lambda: kafka.now_ms,
    )
    for _ in range(count):
        put(kafka, b"x" * size, 1000)
    held.step(0)
    assert made[0].paused == {FIVE}
    kafka.now_ms += 1000
    for _ in range(4):
        held.step(0)

    assert made[0].paused == set()
    assert len(kafka.returned) == count
    assert kafka.commits == {FIVE: count}


def test_leaving_commits_what_was_returned_and_nothing_else(kafka: FakeKafka) -> None:
    """The next owner begins with the record that was still held."""
    put(kafka, b"due", 0)
    put(kafka, b"held", 5000)
    held = holder(kafka)
    held.step(0)
    stop = Event()
    stop.set()
    held.run(stop)

    assert bodies(kafka) == [b"due"]
    assert kafka.commits == {FIVE: 1}


class AnyFate(RuleBasedStateMachine):
    """Records come, time passes, brokers refuse or are away, and consumers are killed or leave."""

    def __init__(self) -> None:
        super().__init__()
        self.kafka = FakeKafka()
        self.holder = holder(self.kafka)
        self.due: dict[bytes, tuple[Place, int]] = {}
        self.refused = False

    @rule(
        delay=st.sampled_from(DELAYS[:2]),
        in_ms=st.sampled_from((-1000, 0, 1000, 5000)),
        malformed=st.booleans(),
    )
    def write(self, delay: Delay, in_ms: int, malformed: bool) -> None:  # noqa: FBT001
        place = (f"{PREFIX}{delay.name}", 0)
        body = b"%d" % len(self.due)
        now = self.kafka.now_ms
        usual = now + delay.seconds * 1000
        pairs = [("return-to", b"parse-again")] if malformed else headers(now + in_ms)
        self.due[body] = (place, usual if malformed else now + in_ms)
        self.kafka.write(place, body, pairs, now)

    @rule(ms=st.sampled_from((1, 999, 1000, 30_000)))
    def wait(self, ms: int) -> None:
        self.kafka.now_ms += ms

    @rule()
    def step(self) -> None:
        self.holder.step(0)

    @rule()
    def killed(self) -> None:
        self.holder = holder(self.kafka)

    @precondition(lambda self: not (self.kafka.away or self.kafka.silent))
    @rule()
    def leaves(self) -> None:
        stop = Event()
        stop.set()
        self.holder.run(stop)
        self.holder = holder(self.kafka)

    @rule(away=st.booleans(), silent=st.booleans())
    def brokers(self, away: bool, silent: bool) -> None:  # noqa: FBT001
        self.kafka.away, self.kafka.silent = away, silent

    @rule(refusal=st.sampled_from((None, TOO_LARGE)))
    def refusals(self, refusal: KafkaError | None) -> None:
        self.kafka.refusal = refusal
        self.refused |= refusal is not None

    @invariant()
    def nothing_is_early(self) -> None:
        assert all(one.at_ms >= self.due[one.value or b""][1] for one in self.kafka.returned)

    @invariant()
    def only_what_was_returned_is_committed(self) -> None:
        back = {one.value for one in self.kafka.returned}
        for place, offset in self.kafka.commits.items():
            assert back >= {record.body for record in self.kafka.log[place][:offset]}

    @invariant()
    def first_in_is_first_out(self) -> None:
        if self.refused:
            return
        first = list(dict.fromkeys(one.value or b"" for one in self.kafka.returned))
        for place in self.kafka.log:
            numbers = [int(body) for body in first if self.due[body][0] == place]
            assert numbers == sorted(numbers)

    def teardown(self) -> None:
        """In the end, with all servers there again, everything is back and committed."""
        self.kafka.away = self.kafka.silent = False
        self.kafka.refusal = None
        for _ in range(5):
            self.kafka.now_ms += 400_000
            self.holder.step(0)
        assert {one.value for one in self.kafka.returned} == set(self.due)
        assert self.kafka.commits == {place: len(log) for place, log in self.kafka.log.items()}


TestAnyFate = AnyFate.TestCase
TestAnyFate.settings = profile(max_examples=100, stateful_step_count=40, deadline=None)
