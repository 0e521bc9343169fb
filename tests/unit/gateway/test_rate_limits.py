"""Token buckets against a model: never too many, never one too few, nothing charged in vain."""

import asyncio
import time
from collections.abc import Awaitable
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gateway.errors import RateLimited
from gateway.limits import limiter
from gateway.limits.addresses import UNKNOWN, counted
from gateway.limits.buckets import LEASE_S, Account
from gateway.limits.limiter import Cost, RateLimiter
from gateway.limits.store import Ask
from gateway.metrics import Metrics
from gateway.settings import GatewaySettings
from schemas.rate_limits import DEFAULT, Limit
from tests.fakes.buckets import Clock, FakeBuckets

T = TypeVar("T")


class Gateways:
    """So many gateways before one store; their turns are taken when a call waits for one."""

    def __init__(self, text: str, count: int = 1) -> None:
        self.clock = Clock()
        self.store = FakeBuckets(self.clock)
        self.metrics = [Metrics() for _ in range(count)]
        self.each = [RateLimiter(text, self.store, one, self.clock) for one in self.metrics]

    async def call(self, number: int = 0, cost: Cost = "read", own: str | None = None) -> bool:
        """Returns: whether a call of the key `k` is let in."""
        try:
            await self.turned(number, self.each[number].admit_key("k", own, cost))
        except RateLimited:
            return False
        return True

    async def turned(self, number: int, admitted: Awaitable[T]) -> T:
        """Returns: what a call gets, with the gateway's loop running beside it."""
        task = asyncio.ensure_future(admitted)
        while not task.done():
            await asyncio.sleep(0)
            await self.each[number].leases.turn()
        return await task

    async def seconds(self, seconds: float) -> None:
        """Let time pass, with a turn of each gateway at the end of it."""
        self.clock.now += seconds
        for one in self.each:
            await one.leases.turn()

    def left(self, scope: str, count: int, period_s: int) -> float:
        """Returns: tokens in a shared bucket."""
        return self.store.tokens(Ask(scope, Limit(count, period_s), 0))


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("call"), st.integers(0, 2)),
        st.tuples(st.just("pass"), st.floats(0.001, 20)),
    ),
    max_size=120,
)


@given(steps=STEPS, count=st.integers(1, 30), period_s=st.integers(1, 30))
def test_no_window_has_more_than_it_should(
    steps: list[tuple[str, float]], count: int, period_s: int
) -> None:
    """Between any two moments: the bucket, what came back, and a tenth for each gateway's lease."""

    async def run() -> list[float]:
        gateways, let_in = Gateways(f"key:{count}/{period_s}s", 3), []
        for what, value in steps:
            if what == "pass":
                await gateways.seconds(value)
            elif await gateways.call(int(value)):
                let_in.append(gateways.clock.now)
        return let_in

    let_in = asyncio.run(run())
    leases = 3 * (count // 10)
    for first, began in enumerate(let_in):
        for last in range(first, len(let_in)):
            allowed = count + leases + (let_in[last] - began) * count / period_s
            assert last - first + 1 <= allowed + 1e-3


@given(steps=STEPS, count=st.integers(1, 30), period_s=st.integers(1, 30), alone=st.booleans())
def test_one_gateway_is_exact(
    steps: list[tuple[str, float]], count: int, period_s: int, *, alone: bool
) -> None:
    """With one gateway a call is let in if and only if a plain bucket would have a token for it.

    Only a lease that is held while the bucket fills up lets it have more than that, and a refusal
    that others could have changed is believed for a second.
    """

    async def run() -> None:
        gateways = Gateways(f"key:{count}/{period_s}s")
        gateways.store.away = alone
        tokens, at = float(count), gateways.clock.now
        for what, value in steps:
            if what == "pass":
                await gateways.seconds(value)
                continue
            now = gateways.clock.now
            tokens, at = min(count, tokens + (now - at) * count / period_s), now
            found = await gateways.call()
            assert found or tokens < 1 + 1e-3
            assert not found or tokens >= 1 - 1e-3 - (0 if alone else count // 10)
            tokens = max(0.0, tokens - 1) if found else tokens

    asyncio.run(run())


@pytest.mark.parametrize("away", [False, True])
@given(count=st.integers(1, 100), period_s=st.integers(1, 3600))
def test_a_call_after_exactly_the_time_told_passes(
    count: int, period_s: int, *, away: bool
) -> None:
    """And none does a moment earlier than the bucket has a token."""

    async def run() -> None:
        gateways = Gateways(f"key:{count}/{period_s}s")
        gateways.store.away = away
        for _ in range(count):
            assert await gateways.call()
        with pytest.raises(RateLimited) as caught:
            await gateways.turned(0, gateways.each[0].admit_key("k", None, "read"))
        told = caught.value.retry_after_s
        assert told is not None
        assert told - 1 < period_s / count <= told or told == 1
        gateways.clock.now += period_s / count - 0.005
        assert not await gateways.call()
        gateways.clock.now += told - period_s / count + 0.005
        assert await gateways.call()

    asyncio.run(run())


@pytest.mark.parametrize("away", [False, True])
async def test_what_is_refused_by_one_is_charged_to_none(away: bool) -> None:  # noqa: FBT001
    """Refused changes leave all reads; those of other gateways too, once leases are given back."""
    gateways = Gateways("key:10/h,write:2/h", 2)
    gateways.store.away = away
    assert [await gateways.call(cost="write") for _ in range(30)] == [True] * 2 + [False] * 28
    if not away:
        await gateways.seconds(LEASE_S + 1)
        assert gateways.left("key:k", 10, 3600) == pytest.approx(8, abs=0.1)
    assert [await gateways.call() for _ in range(9)] == [True] * 8 + [False]


async def test_most_calls_ask_nobody() -> None:
    """A lease of a tenth serves the calls that follow, and the rest goes back when it ends."""
    gateways = Gateways("key:1000/h")
    assert all([await gateways.call() for _ in range(100)])
    assert len(gateways.store.takings) == 1
    await gateways.seconds(LEASE_S + 1)
    assert gateways.left("key:k", 1000, 3600) == pytest.approx(900, abs=2)


async def test_leases_go_back_at_the_end() -> None:
    """A gateway that stops leaves what it did not use to the others."""
    gateways = Gateways("key:100/h,ip:50/h")
    await gateways.call()
    await gateways.turned(0, gateways.each[0].admit_address("192.0.2.1"))
    await gateways.each[0].leases.close()
    assert gateways.left("key:k", 100, 3600) == pytest.approx(99, abs=0.01)
    assert gateways.left("ip:192.0.2.1", 50, 3600) == pytest.approx(49, abs=0.01)


async def test_calls_that_wait_are_served_together() -> None:
    """However many come at once, one statement takes for them all."""
    gateways = Gateways("key:100/h")
    calls = [gateways.each[0].admit_key("k", None, "read") for _ in range(150)]
    together = asyncio.gather(*calls, return_exceptions=True)
    found = await gateways.turned(0, together)
    assert sum(isinstance(one, Account) for one in found) == 100
    assert len(gateways.store.takings) == 1


async def test_what_refused_calls_asked_for_goes_back_soon() -> None:
    """Changes that came together and were refused hold no more than a tenth of the calls."""
    gateways = Gateways("key:100/h,write:2/h")
    calls = [gateways.each[0].admit_key("k", None, "write") for _ in range(80)]
    await gateways.turned(0, asyncio.gather(*calls, return_exceptions=True))
    await gateways.seconds(1)
    assert gateways.left("key:k", 100, 3600) == pytest.approx(98, abs=0.1)


async def test_a_flood_does_not_reach_the_store() -> None:
    """While a bucket is known to be empty, refusals cost no statement: one a second at most."""
    gateways = Gateways("key:5/h")
    for _ in range(400):
        await gateways.call()
        gateways.clock.now += 0.01
    assert len(gateways.store.takings) <= 10


@pytest.mark.parametrize("away", [False, True])
async def test_an_address_is_spent_until_its_next_token(*, away: bool) -> None:
    """By what this gateway knows of it, without asking anyone."""
    gateways = Gateways("ip:2/20s")
    gateways.store.away = away
    one = gateways.each[0]
    assert not one.is_spent("192.0.2.1")
    for spent in (False, True):
        await gateways.turned(0, one.admit_address("192.0.2.1"))
        assert one.is_spent("192.0.2.1") is spent
    assert not one.is_spent("192.0.2.2")
    for seconds, spent in ((9.5, True), (1, False)):
        gateways.clock.now += seconds
        assert one.is_spent("192.0.2.1") is spent


async def test_without_the_store_each_counts_alone() -> None:
    """At once, with its own buckets, and the metrics say so; shared again when it is back."""
    gateways = Gateways("key:10/h", 2)
    assert all([await gateways.call(number) for number in (0, 1)])
    gateways.store.away = True
    await gateways.seconds(LEASE_S + 1)
    before = len(gateways.store.takings)
    assert [await gateways.call() for _ in range(20)].count(True) <= 9
    shown = gateways.metrics[0].registry.get_sample_value
    assert shown("actionstream_rate_limits_shared") == 0
    assert shown("actionstream_rate_limit_calls_alone_total") == 20
    gateways.store.away = False
    await gateways.seconds(1)
    assert shown("actionstream_rate_limits_shared") == 1
    assert await gateways.call(1)
    assert len(gateways.store.takings) > before


async def test_a_store_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call gives up after its bound and is counted alone."""
    monkeypatch.setattr(limiter, "WAIT_S", 0.01)
    gateway = RateLimiter("key:10/h", FakeBuckets(Clock()), Metrics())
    account = await gateway.admit_key("k", None, "read")
    assert account.buckets[0].remaining(time.monotonic()) == 9


async def test_a_keys_own_limits_go_before_the_usual_ones() -> None:
    """Scope by scope; what cannot be read changes nothing."""
    gateways = Gateways("key:2/h,write:1/h")
    assert [await gateways.call(own="key:3/h") for _ in range(4)] == [True, True, True, False]
    other = gateways.each[0].admit_key
    account = await gateways.turned(0, other("j", "key:none,write:5/h", "write"))
    assert [one.scope for one in account.buckets] == ["write:j"]
    account = await gateways.turned(0, other("i", "nonsense", "write"))
    assert [one.capacity for one in account.buckets] == [2, 1]
    account = await other("h", "none", "write")
    assert account.headers(0) == {}


async def test_callers_are_told_how_they_stand() -> None:
    """The fields of draft-ietf-httpapi-ratelimit-headers-10, and the same in a problem's body."""
    gateways = Gateways("key:60/m,write:1/m")
    account = await gateways.turned(0, gateways.each[0].admit_key("k", None, "write"))
    now = gateways.clock.now
    policy = '"key";q=60;w=60, "write";q=1;w=60'
    assert account.headers(now) == {
        "RateLimit-Policy": policy,
        "RateLimit": '"key";r=59;t=1, "write";r=0;t=60',
    }
    with pytest.raises(RateLimited) as caught:
        await gateways.turned(0, gateways.each[0].admit_key("k", None, "write"))
    assert caught.value.headers == {
        "Retry-After": "60",
        "RateLimit-Policy": policy,
        "RateLimit": '"key";r=59;t=1, "write";r=0;t=60',
    }
    problem = caught.value.problem("/v1/x")
    assert (problem.status, problem.code, problem.retry_after_s) == (429, "rate_limited", 60)
    assert problem.rate_limit is not None
    assert problem.rate_limit.model_dump() == {
        "policy": "write",
        "limit": 1,
        "window_s": 60,
        "remaining": 0,
        "reset_s": 60,
    }
    assert gateways.metrics[0].registry.get_sample_value(
        "actionstream_rate_limited_total", {"limit": "write"}
    )


@pytest.mark.parametrize("name", ["RATE_LIMITS", "ACTIONSTREAM_RATE_LIMITS"])
def test_limits_come_from_the_environment(
    nowhere: GatewaySettings, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """With the prefix or without; a wrong part is named when the gateway starts."""
    given = nowhere.model_dump(exclude={"rate_limits"}, exclude_unset=True)
    assert GatewaySettings(_env_file=None, **given).rate_limits == DEFAULT
    monkeypatch.setenv(name, "key:7/s")
    assert GatewaySettings(_env_file=None, **given).rate_limits == "key:7/s"
    monkeypatch.setenv(name, "key:7/s,write:x")
    with pytest.raises(ValidationError, match="'write:x' must have a count"):
        GatewaySettings(_env_file=None, **given)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", UNKNOWN),
        ("192.0.2.7, 10.0.0.1", UNKNOWN),
        ("", UNKNOWN),
        (None, UNKNOWN),
    ],
)
def test_whom_an_address_stands_for(host: str | None, name: str) -> None:
    """Each IPv4 address for itself, IPv6 by the network of one customer, the rest together."""
    assert counted(host) == name


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many addresses call: those that rest are forgotten, and in the end the oldest."""
    monkeypatch.setattr(limiter, "MOST_CALLERS", 100)
    gateways = Gateways("ip:5/m")
    gateways.store.away = True
    await gateways.turned(0, gateways.each[0].admit_address("198.51.100.1"))
    for number in range(1000):
        await gateways.each[0].admit_address(f"192.0.{number // 250}.{number % 250}")
    assert len(gateways.each[0]._callers) <= 100
