"""What CPU each part takes: processes that were started here, and servers by where they listen."""

from collections.abc import Mapping, Sequence

import psutil


def listening(port: int) -> psutil.Process | None:
    """Returns: the process that listens on a port, if this user may see it.

    Of several that share it, their parent.
    """
    try:
        found = {
            each.pid
            for each in psutil.net_connections("tcp")
            if each.status == psutil.CONN_LISTEN
            and each.laddr
            and each.laddr[1] == port
            and each.pid
        }
    except psutil.AccessDenied:
        return None
    return psutil.Process(min(found)) if found else None


def spent(parts: Mapping[str, Sequence[psutil.Process]]) -> dict[str, float]:
    """Returns: the CPU seconds of each part so far, with the children that it still has."""
    return {name: sum(map(_of, roots)) for name, roots in parts.items()}


def _of(root: psutil.Process) -> float:
    total = 0.0
    for process in (root, *root.children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total
