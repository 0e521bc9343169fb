"""A stage stops when bug follows on bug, and not for what one tenant alone meets."""

from streams.alarm import Alarm

BUG = ZeroDivisionError()


def stops(alarm: Alarm, *tenants: str) -> list[bool]:
    """Whether the stage stops at a bug of each tenant in turn."""
    return [alarm.stops_at("collections", gpt_id, BUG) for gpt_id in tenants]


def test_bugs_in_a_row_stop_the_stage() -> None:
    """With a single tenant too, as nothing says that the stage works at all."""
    alarm = Alarm(3)

    assert stops(alarm, "a", "a", "a") == [False, False, True]
    assert alarm.stopped == {"collections": "3 bugs in a row, the last one ZeroDivisionError"}


def test_what_goes_well_ends_the_row() -> None:
    """Whoever's it is."""
    alarm = Alarm(3)

    assert stops(alarm, "a", "a") == [False, False]
    alarm.went_well("collections", ["a"])
    assert stops(alarm, "a", "a", "a") == [False, False, True]


def test_bugs_of_one_tenant_stop_nobody_who_was_served() -> None:
    """The stage works for another one, so that the bug is of what this one sends."""
    alarm = Alarm(3)
    alarm.went_well("collections", ["b", "c", "d"])

    assert stops(alarm, *["a"] * 20) == [False] * 20
    assert alarm.stopped == {}


def test_bugs_of_two_tenants_stop_the_stage() -> None:
    """What worked once for both is broken since."""
    alarm = Alarm(3)
    alarm.went_well("collections", ["a", "b"])

    assert stops(alarm, "a", "a", "a", "b") == [False, False, False, True]


def test_what_a_tenant_was_served_itself_says_nothing_of_others() -> None:
    """A stage that breaks while one tenant alone uses it stops for it."""
    alarm = Alarm(3)
    alarm.went_well("collections", ["a"])

    assert stops(alarm, "a", "a", "a") == [False, False, True]
