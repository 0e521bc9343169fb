"""The watchdog's bookkeeping."""

from local.watchdog import end, remaining


def test_what_began_and_did_not_end_remains() -> None:
    """Groups are known by their lines; what ended, twice or never began, is not left over."""
    lines = ["+ 10 15\n", "+ 11 2\n", "- 10\n", "- 10\n", "- 99\n"]
    assert remaining(lines) == {11: 2}


def test_a_line_cut_by_death_is_ignored() -> None:
    """The supervisor may die in the middle of a line."""
    assert remaining(["+ 10 15\n", "+ 11"]) == {10: 15}


def test_a_group_that_is_gone_is_fine() -> None:
    """A group that ended between its line and the end of the supervisor is no error."""
    groups = {2**22 + 1: 15}
    end(groups, grace_s=0)
    assert groups == {2**22 + 1: 15}
