"""What a supervisor has running, which nothing but tests asks."""

from local.supervisor import Supervisor


def pids_of(supervisor: Supervisor) -> dict[str, int]:
    """The process id of each program that runs."""
    return {
        name: running.process.pid
        for name, running in supervisor._all.items()
        if running.process is not None and running.process.returncode is None
    }
