"""How long a busy machine kept processes waiting for a processor, by the word of Linux' own scheduler."""

import asyncio
import os
import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

_BEAT: Final = 0.01
_NEW: Final = 0.002
"""Seconds for which a sample is new."""


class Stalls:
    """For each replica, the time in which it, the harness or a server was ready to run and did not.

    A request may take longer by as much. Between two samples no more counts than the time between them.

    Args:
        replicas: The processes of the replicas.
        servers: Gives the processes of the store, of which the one that waited longest counts.
    """

    def __init__(self, replicas: Sequence[int], servers: Callable[[], Sequence[int]]) -> None:
        self._replicas = replicas
        self._servers = servers
        self._waited: dict[int, float] = {}
        self._times = [time.monotonic()]
        self._sums = [(0.0,) * len(replicas)]
        self._sample()

    async def watch(self) -> None:
        """Take samples until cancelled."""
        while True:
            self._sample()
            await asyncio.sleep(_BEAT)

    def between(self, replica: int, begun: float, ended: float) -> float:
        """The seconds of a time that is over for which the machine let that replica wait."""
        if ended > self._times[-1] + _NEW:
            self._sample()
        return self._until(replica, ended) - self._until(replica, begun)

    def _until(self, replica: int, moment: float) -> float:
        """All seconds until then, as if waiting were spread evenly between two samples."""
        after = min(bisect_right(self._times, moment), len(self._times) - 1)
        if after == 0:
            return self._sums[0][replica]
        begun, ended = self._times[after - 1 : after + 1]
        less, more = (self._sums[each][replica] for each in (after - 1, after))
        return less + (more - less) * min(1.0, max(0.0, (moment - begun) / (ended - begun)))

    def _sample(self) -> None:
        now = time.monotonic()
        passed = now - self._times[-1]
        if passed <= 0:
            return
        before, servers = self._waited, self._servers()
        self._waited = {pid: _waited(pid) for pid in {os.getpid(), *self._replicas, *servers}}
        grown = {pid: waited - before.get(pid, waited) for pid, waited in self._waited.items()}
        shared = grown[os.getpid()] + max((grown[pid] for pid in servers), default=0.0)
        self._times.append(now)
        self._sums.append(
            tuple(
                until + min(passed, grown[pid] + shared)
                for until, pid in zip(self._sums[-1], self._replicas, strict=True)
            )
        )


def _waited(pid: int) -> float:
    """Seconds that its first thread was ready and had no processor.

    Source: the Linux kernel's documentation, Scheduler Statistics, /proc/<pid>/schedstat.
    """
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):  # it is over, or this is no Linux
        return 0.0
