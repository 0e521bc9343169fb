"""What a server of the local run does to keep its data."""

from pathlib import Path

import pytest

from local import estate, ports
from local.environment import LocalSettings
from local.servers import postgres


@pytest.mark.parametrize("throwaway", [False, True])
def test_only_data_that_is_thrown_away_is_not_flushed(tmp_path: Path, throwaway: bool) -> None:  # noqa: FBT001
    """Postgres keeps its own defaults wherever data is kept, or measured as if it were."""
    planned = estate.plan(tmp_path, ports.from_base(20080), LocalSettings(), throwaway=throwaway)
    [server] = [one for one in planned.servers if one.name == postgres.NAME]
    assert [setting in server.argv for setting in postgres.QUICK] == [throwaway] * 3
