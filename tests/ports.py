"""Ports for servers that must be told theirs."""

import socket
from contextlib import ExitStack
from secrets import randbelow
from typing import Final

FIRST: Final = 10_000
COUNT: Final = 12_000
BUS: Final = 10_000
"""What the nodes of a Redis cluster add to their port, for the port on which they talk."""


def free_port() -> int:
    """A port that nobody listens on, and the one of a cluster's node with it.

    The system hands out none of them to connections: those begin at 32768, as a rule. A port that it handed
    out a moment ago may be another process's connection by the time that a server listens.
    """
    while True:
        port = FIRST + randbelow(COUNT)
        try:
            with ExitStack() as stack:
                for each in (port, port + BUS):
                    stack.enter_context(socket.create_server(("127.0.0.1", each)))
        except OSError:
            continue
        return port
